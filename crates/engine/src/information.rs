//! Views of the system about itself: `pg_catalog`, `information_schema`, `timescaledb_information`.
//!
//! ```text
//! name ──provider──▶ rows          made from the planner's version when a statement refers to the view
//! f(x) ──scalar_function──▶ value  answered from the same version
//! ```
//!
//! What clients ask in forms that DataFusion does not plan is rewritten in [`clients`] and, where a subquery
//! refers to the query around it, run by [`apply`].

pub mod apply;
pub mod clients;
mod constraint;
mod functions;
mod pg_catalog;
mod relations;
pub mod rows;
mod schema;
pub mod size;
mod table_functions;
pub mod timescale;
mod types;

use crate::Result;
use crate::activity::Sessions;
use crate::query::Planner;
use crate::setting::Settings;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;
use highwater_store::Version;
use relations::Relation;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The PostgreSQL version that clients are told.
pub const SERVER_VERSION: &str = "15.0";

/// Oid of the role that owns everything.
const OWNER_OID: u32 = 10;

/// Oid of the session's role when it is another one.
const USER_OID: u32 = 13_900;

/// The rows of a system view, if the name is one's.
pub fn provider(planner: &Planner, parts: &[String]) -> Result<Option<Arc<dyn TableProvider>>> {
    match parts {
        [name] => {
            // PostgreSQL looks into pg_catalog before the search path, unless the path says otherwise.
            let path = planner.search_path();
            if !path.iter().any(|schema| schema == "pg_catalog")
                && let Some(found) = pg_catalog::provider(planner, name)?
            {
                return Ok(Some(found));
            }
            for schema in &path {
                if planner.version().catalog().is_taken(schema, name) {
                    return Ok(None);
                }
                if let Some(found) = in_schema(planner, schema, name)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        [schema, name] | [_, schema, name] => in_schema(planner, schema, name),
        _ => Ok(None),
    }
}

fn in_schema(planner: &Planner, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    match schema {
        "pg_catalog" => pg_catalog::provider(planner, name),
        "information_schema" => schema::provider(planner, name),
        "timescaledb_information" => timescale::provider(planner, name),
        _ => Ok(None),
    }
}

/// A function that answers from the catalog, if the name is one's.
pub fn scalar_function(planner: &Planner, name: &str) -> Option<Arc<ScalarUDF>> {
    functions::find(|| planner.known().clone(), name)
}

/// What makes the rows of a table function from its arguments.
pub type TableFunction = fn(&Known, &[ScalarValue]) -> Result<Arc<dyn TableProvider>>;

/// The names of the functions that answer from the catalog.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    functions::names().map(|(name, _)| name).chain(table_functions::names())
}

/// A table function that answers from the catalog, if the name is one's.
pub fn table_function(name: &str) -> Option<TableFunction> {
    table_functions::find(name)
}

pub use constraint::quoted_where_needed;

/// What a statement can know of its database and session.
#[derive(Debug)]
pub struct Known {
    /// The version that the statement sees.
    pub version: Version,
    /// The session's settings.
    pub settings: Settings,
    /// Schemas that unqualified names are looked up in.
    pub search_path: Vec<String>,
    /// The session's role.
    pub user: String,
    /// The database.
    pub database: String,
    /// All databases of the instance.
    pub databases: Vec<String>,
    /// All sessions of the instance.
    pub sessions: Arc<Sessions>,
    /// The number of the one that asks.
    pub session: i32,
    relations: OnceLock<Vec<Relation>>,
}

impl Known {
    /// What a planner's statement knows.
    pub fn of(planner: &Planner) -> Known {
        let mut databases: Vec<String> = planner.engine().databases.read().iter().cloned().collect();
        if databases.is_empty() {
            databases.push(planner.engine().name.clone());
        }
        Known {
            version: planner.version().clone(),
            settings: planner.settings().clone(),
            search_path: planner.search_path(),
            user: planner.user().to_owned(),
            database: planner.engine().name.clone(),
            databases,
            sessions: planner.engine().sessions.clone(),
            session: planner.session(),
            relations: OnceLock::new(),
        }
    }

    /// Every relation, found out once for each statement that asks.
    fn relations(&self) -> &[Relation] {
        self.relations.get_or_init(|| relations::all(self))
    }

    /// The relation of an oid.
    fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations().iter().find(|r| r.oid == oid)
    }

    /// A relation's name as it has to be written here.
    fn display_name(&self, relation: &Relation) -> String {
        let name = constraint::quoted_where_needed(&relation.name);
        match relations::is_visible(self, relation) {
            true => name,
            false => format!("{}.{name}", constraint::quoted_where_needed(&relation.schema)),
        }
    }

    /// Schemas with their oids.
    fn schemas(&self) -> BTreeMap<String, u32> {
        relations::schemas(self)
    }

    /// The schemas of the search path that exist.
    fn schemas_on_path(&self, implicit: bool) -> Vec<String> {
        let schemas = self.schemas();
        let mut path: Vec<String> = self.search_path.iter().filter(|s| schemas.contains_key(*s)).cloned().collect();
        if implicit && !path.iter().any(|s| s == "pg_catalog") {
            path.insert(0, "pg_catalog".to_owned());
        }
        path
    }

    /// Roles and their oids.
    fn roles(&self) -> Vec<(String, u32)> {
        let mut roles = vec![(timescale::OWNER.to_owned(), OWNER_OID)];
        if self.user != timescale::OWNER {
            roles.push((self.user.clone(), USER_OID));
        }
        roles
    }

    fn role_name(&self, oid: u32) -> String {
        let roles = self.roles();
        let known = roles.iter().find(|(_, of)| *of == oid).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| format!("unknown (OID={oid})"))
    }

    fn role_oid(&self, name: &str) -> Option<u32> {
        self.roles().into_iter().find(|(of, _)| of == name).map(|(_, oid)| oid)
    }

    /// The comment on a relation, however it was named then.
    fn comment_on(&self, relation: &Relation) -> Option<String> {
        let (schema, name) = (&relation.schema, &relation.name);
        ["TABLE", "VIEW", "MATERIALIZED VIEW", "INDEX"].iter().find_map(|kind| {
            let full = format!("{kind}:{schema}.{name}");
            let bare = format!("{kind}:{name}");
            let comments = &self.version.catalog().comments;
            comments.get(&full).or_else(|| comments.get(&bare)).cloned()
        })
    }

    /// The comments on constraints, by their oids.
    fn comments_on_constraints(&self) -> Vec<(u32, String)> {
        let catalog = self.version.catalog();
        let mut all = Vec::new();
        for table in catalog.tables.values() {
            let keys = table.indexes.iter().filter(|index| index.constraint).map(|index| (index.id, &index.name));
            let checks = catalog.objects.rules.get(&table.id).into_iter().flat_map(|rules| &rules.checks);
            all.extend(keys.chain(checks.map(|check| (check.id, &check.name))).filter_map(|(oid, name)| {
                let on = format!("CONSTRAINT:{}.{}.{name}", table.schema, table.name);
                Some((oid, catalog.comments.get(&on)?.clone()))
            }));
        }
        all
    }

    /// The comment on a column of a relation.
    fn comment_on_column(&self, relation: &Relation, column: &str) -> Option<String> {
        self.comment_of_column(&relation.schema, &relation.name, column)
    }

    /// As [`Known::comment_on_column`], by names.
    pub fn comment_of_column(&self, schema: &str, table: &str, column: &str) -> Option<String> {
        let comments = &self.version.catalog().comments;
        let full = format!("COLUMN:{schema}.{table}.{column}");
        comments.get(&full).or_else(|| comments.get(&format!("COLUMN:{table}.{column}"))).cloned()
    }
}
