//! Messages that the server sends, appended to the outgoing buffer.

use super::encode::Format;
use super::types::Described;
use arrow::datatypes::SchemaRef;
use highwater::text::number::write_unsigned;
use highwater::{Error, Notice, TransactionStatus};

/// Appends a message: its type, its length and what `body` appends.
pub fn message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn bare(out: &mut Vec<u8>, kind: u8) {
    out.extend_from_slice(&[kind, 0, 0, 0, 4]);
}

fn text(out: &mut Vec<u8>, text: &str) {
    // A zero would end the text early, and make the rest of the message something else.
    match text.find('\0') {
        Some(end) => out.extend_from_slice(&text.as_bytes()[..end]),
        None => out.extend_from_slice(text.as_bytes()),
    }
    out.push(0);
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| out.extend_from_slice(&0_i32.to_be_bytes()));
}

/// AuthenticationSASL with the one mechanism there is.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanism: &str) {
    message(out, b'R', |out| {
        out.extend_from_slice(&10_i32.to_be_bytes());
        text(out, mechanism);
        out.push(0);
    });
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.extend_from_slice(&11_i32.to_be_bytes());
        out.extend_from_slice(data.as_bytes());
    });
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.extend_from_slice(&12_i32.to_be_bytes());
        out.extend_from_slice(data.as_bytes());
    });
}

/// NegotiateProtocolVersion: version 3.0, and options that are not known.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, unknown_options: &[&str]) {
    message(out, b'v', |out| {
        out.extend_from_slice(&0_i32.to_be_bytes());
        out.extend_from_slice(&(unknown_options.len() as i32).to_be_bytes());
        for option in unknown_options {
            text(out, option);
        }
    });
}

/// BackendKeyData.
pub fn backend_key_data(out: &mut Vec<u8>, process: i32, secret: i32) {
    message(out, b'K', |out| {
        out.extend_from_slice(&process.to_be_bytes());
        out.extend_from_slice(&secret.to_be_bytes());
    });
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

/// ReadyForQuery.
pub fn ready_for_query(out: &mut Vec<u8>, status: TransactionStatus) {
    message(out, b'Z', |out| {
        out.push(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InBlock => b'T',
            TransactionStatus::Failed => b'E',
        });
    });
}

/// ErrorResponse with severity `ERROR`, after which the connection goes on.
pub fn error(out: &mut Vec<u8>, error: &Error) {
    error_of_severity(out, "ERROR", error);
}

/// ErrorResponse with severity `FATAL`, after which the connection ends.
pub fn fatal(out: &mut Vec<u8>, error: &Error) {
    error_of_severity(out, "FATAL", error);
}

fn error_of_severity(out: &mut Vec<u8>, severity: &str, error: &Error) {
    message(out, b'E', |out| {
        let position = error.position.map(|position| position.to_string());
        fields(out, severity, error.sqlstate, &error.message, error.detail.as_deref(), error.hint.as_deref());
        if let Some(position) = position {
            field(out, b'P', &position);
        }
        out.push(0);
    });
}

/// NoticeResponse.
pub fn notice(out: &mut Vec<u8>, notice: &Notice) {
    message(out, b'N', |out| {
        fields(
            out,
            notice.severity,
            notice.sqlstate,
            &notice.message,
            notice.detail.as_deref(),
            notice.hint.as_deref(),
        );
        out.push(0);
    });
}

fn fields(out: &mut Vec<u8>, severity: &str, sqlstate: &str, message: &str, detail: Option<&str>, hint: Option<&str>) {
    field(out, b'S', severity);
    field(out, b'V', severity);
    field(out, b'C', sqlstate);
    field(out, b'M', message);
    if let Some(detail) = detail {
        field(out, b'D', detail);
    }
    if let Some(hint) = hint {
        field(out, b'H', hint);
    }
}

fn field(out: &mut Vec<u8>, code: u8, value: &str) {
    out.push(code);
    text(out, value);
}

/// RowDescription.
///
/// * `formats` – none for text, one for all columns, or one for each.
pub fn row_description(out: &mut Vec<u8>, columns: &SchemaRef, formats: &[Format]) {
    message(out, b'T', |out| {
        out.extend_from_slice(&(columns.fields().len() as i16).to_be_bytes());
        for (index, field) in columns.fields().iter().enumerate() {
            let described = Described::of_field(field);
            let format = match formats {
                [] => Format::Text,
                [one] => *one,
                each => each[index],
            };
            text(out, field.name());
            out.extend_from_slice(&[0; 6]); // Table and column number: the result does not say.
            out.extend_from_slice(&described.oid().to_be_bytes());
            out.extend_from_slice(&described.size().to_be_bytes());
            out.extend_from_slice(&described.modifier.to_be_bytes());
            out.extend_from_slice(&i16::from(format == Format::Binary).to_be_bytes());
        }
    });
}

/// ParameterDescription.
pub fn parameter_description(out: &mut Vec<u8>, oids: &[u32]) {
    message(out, b't', |out| {
        out.extend_from_slice(&(oids.len() as u16).to_be_bytes());
        for oid in oids {
            out.extend_from_slice(&oid.to_be_bytes());
        }
    });
}

/// NoData.
pub fn no_data(out: &mut Vec<u8>) {
    bare(out, b'n');
}

/// ParseComplete.
pub fn parse_complete(out: &mut Vec<u8>) {
    bare(out, b'1');
}

/// BindComplete.
pub fn bind_complete(out: &mut Vec<u8>) {
    bare(out, b'2');
}

/// CloseComplete.
pub fn close_complete(out: &mut Vec<u8>) {
    bare(out, b'3');
}

/// PortalSuspended.
pub fn portal_suspended(out: &mut Vec<u8>) {
    bare(out, b's');
}

/// EmptyQueryResponse.
pub fn empty_query(out: &mut Vec<u8>) {
    bare(out, b'I');
}

/// CommandComplete.
pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

/// CommandComplete with a number of rows.
pub fn command_complete_rows(out: &mut Vec<u8>, tag: &str, rows: u64) {
    message(out, b'C', |out| {
        out.extend_from_slice(tag.as_bytes());
        out.push(b' ');
        write_unsigned(out, rows);
        out.push(0);
    });
}

/// CopyInResponse.
pub fn copy_in(out: &mut Vec<u8>, binary: bool, columns: usize) {
    copy_response(out, b'G', binary, columns);
}

/// CopyOutResponse.
pub fn copy_out(out: &mut Vec<u8>, binary: bool, columns: usize) {
    copy_response(out, b'H', binary, columns);
}

fn copy_response(out: &mut Vec<u8>, kind: u8, binary: bool, columns: usize) {
    message(out, kind, |out| {
        out.push(u8::from(binary));
        out.extend_from_slice(&(columns as i16).to_be_bytes());
        for _ in 0..columns {
            out.extend_from_slice(&i16::from(binary).to_be_bytes());
        }
    });
}

/// CopyData.
pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'd', |out| out.extend_from_slice(data));
}

/// CopyDone.
pub fn copy_done(out: &mut Vec<u8>) {
    bare(out, b'c');
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn errors_have_all_their_parts() {
        let e = Error::new("42P01", "relation \"x\" does not exist").detail("A detail.").hint("A hint.").at(15);
        assert_eq!(
            written(|out| error(out, &e)),
            b"E\x00\x00\x00\x4fSERROR\0VERROR\0C42P01\0Mrelation \"x\" does not exist\0DA detail.\0HA hint.\0P15\0\0"
        );
    }

    #[test]
    fn a_zero_within_a_text_ends_it() {
        assert_eq!(written(|out| command_complete(out, "A\0B")), b"C\x00\x00\x00\x06A\0");
    }

    #[test]
    fn columns_are_described() {
        let columns = Arc::new(Schema::new(vec![Field::new("n", DataType::Decimal128(10, 2), true)]));
        assert_eq!(
            written(|out| row_description(out, &columns, &[Format::Binary])),
            b"T\x00\x00\x00\x1a\x00\x01n\0\0\0\0\0\0\0\x00\x00\x06\xa4\xff\xff\x00\x0a\x00\x06\x00\x01"
        );
    }

    #[test]
    fn tags_carry_the_number_of_rows() {
        assert_eq!(written(|out| command_complete_rows(out, "SELECT", 12)), b"C\x00\x00\x00\x0eSELECT 12\0");
    }
}
