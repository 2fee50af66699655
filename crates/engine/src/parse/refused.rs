//! What PostgreSQL has and Highwater has not is refused as such, and not as a mistake of the writer.

use crate::Error;

/// Commands of PostgreSQL that the parser does not read.
const REFUSED: &[&str] = &[
    "ALTER AGGREGATE",
    "ALTER COLLATION",
    "ALTER CONVERSION",
    "ALTER DATABASE",
    "ALTER DEFAULT PRIVILEGES",
    "ALTER DOMAIN",
    "ALTER EVENT TRIGGER",
    "ALTER EXTENSION",
    "ALTER FOREIGN",
    "ALTER FUNCTION",
    "ALTER GROUP",
    "ALTER LANGUAGE",
    "ALTER LARGE OBJECT",
    "ALTER OPERATOR",
    "ALTER PROCEDURE",
    "ALTER PUBLICATION",
    "ALTER ROUTINE",
    "ALTER RULE",
    "ALTER SERVER",
    "ALTER STATISTICS",
    "ALTER SUBSCRIPTION",
    "ALTER SYSTEM",
    "ALTER TABLESPACE",
    "ALTER TEXT SEARCH",
    "ALTER TRIGGER",
    "ALTER USER",
    "COMMIT PREPARED",
    "CREATE ACCESS METHOD",
    "CREATE AGGREGATE",
    "CREATE CAST",
    "CREATE COLLATION",
    "CREATE CONVERSION",
    "CREATE EVENT TRIGGER",
    "CREATE FOREIGN",
    "CREATE GROUP",
    "CREATE LANGUAGE",
    "CREATE OPERATOR",
    "CREATE PUBLICATION",
    "CREATE RULE",
    "CREATE SERVER",
    "CREATE STATISTICS",
    "CREATE SUBSCRIPTION",
    "CREATE TABLESPACE",
    "CREATE TEXT SEARCH",
    "CREATE TRANSFORM",
    "CREATE UNLOGGED TABLE",
    "CREATE USER",
    "IMPORT FOREIGN SCHEMA",
    "LOAD",
    "PREPARE TRANSACTION",
    "REASSIGN OWNED",
    "ROLLBACK PREPARED",
    "SECURITY LABEL",
    "SET CONSTRAINTS",
];

/// Why a statement cannot be read: because of `error`, unless the command that it begins with is one of [`REFUSED`].
pub fn explained(words: &[&str], error: Error) -> Error {
    let begins = |command: &str| {
        let mut rest = words.iter();
        command.split(' ').all(|word| rest.next() == Some(&word))
    };
    match REFUSED.iter().find(|command| begins(command)) {
        Some(command) => Error::unsupported(format!("{command} is not supported")),
        None => error,
    }
}
