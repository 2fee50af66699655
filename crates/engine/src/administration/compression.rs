//! Chunks: compressed, and not any more.
//!
//! Which rows a chunk has stays the same, so its segments are written anew at once, outside of the transaction; that it
//! is compressed is said by the transaction. If that is rolled back, the chunk is small and nobody calls it compressed.

use super::{Arguments, Rows, chunk_name, literal};
use crate::error::{Error, Notice, Result};
use crate::information::size;
use crate::parse;
use crate::work::Work;
use highwater_model::{Chunk, Compressed, Table, TableKind};
use std::sync::Arc;

/// `compress_chunk` and `convert_to_columnstore`
pub fn compress(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let Some(name) = arguments.text("uncompressed_chunk") else { return Ok(vec![vec!["NULL".to_owned()]]) };
    let (table, chunk) = find(work, &name)?;
    let time = table.hypertable.as_ref().expect("it is a hypertable").time_column;
    let is_partial = work.transaction.version().table(table.id).is_partial(time, &chunk);
    if chunk.compressed.is_some() && !is_partial && !arguments.truth("recompress")? {
        let text = format!("chunk \"{}\" is already converted to columnstore", bare(&table, &chunk));
        skip(work, arguments, "if_not_compressed", text)?;
    } else {
        rewrite(work, &table, &chunk)?;
    }
    Ok(vec![vec![literal(&chunk_name(&table, &chunk))]])
}

/// `decompress_chunk` and `convert_to_rowstore`
pub fn decompress(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let nothing = || Ok(vec![vec!["NULL".to_owned()]]);
    let Some(name) = arguments.text("uncompressed_chunk") else { return nothing() };
    let (table, chunk) = find(work, &name)?;
    if chunk.compressed.is_none() {
        let text = format!("chunk \"{}\" is not converted to columnstore", bare(&table, &chunk));
        skip(work, arguments, "if_compressed", text)?;
        return nothing();
    }
    tokio::task::block_in_place(|| work.engine.store.rewrite_chunk(table.id, chunk.range, false))?;
    work.transaction.compress(table.id, chunk.range, None)?;
    Ok(vec![vec![literal(&chunk_name(&table, &chunk))]])
}

/// Compresses a chunk, unless it is and nothing was written to it since.
///
/// # Errors
/// 0A000 when the table's chunks may not be compressed.
pub fn compress_chunk(work: &mut Work, table: &Arc<Table>, chunk: &Chunk) -> Result<()> {
    let time = table.hypertable.as_ref().map(|h| h.time_column);
    let data = work.transaction.version().table(table.id);
    match chunk.compressed.is_some() && !time.is_some_and(|time| data.is_partial(time, chunk)) {
        true => Ok(()),
        false => rewrite(work, table, chunk),
    }
}

/// Whether chunks of a table may be compressed.
///
/// # Errors
/// `sqlstate` when not.
pub fn check_enabled(work: &Work, table: &Table, what: &str, sqlstate: &'static str) -> Result<()> {
    if table.compressed_order().is_some() {
        return Ok(());
    }
    let caggs = &work.transaction.version().catalog().caggs;
    let (name, kind) = match caggs.values().find(|cagg| cagg.materialization == table.id) {
        Some(cagg) => (&cagg.name, "MATERIALIZED VIEW"),
        None => (&table.name, "TABLE"),
    };
    Err(Error::new(sqlstate, format!("columnstore not enabled on {what}\"{name}\""))
        .hint(format!("Enable it: ALTER {kind} {name} SET (timescaledb.enable_columnstore).")))
}

fn rewrite(work: &mut Work, table: &Arc<Table>, chunk: &Chunk) -> Result<()> {
    check_enabled(work, table, "", "0A000")?;
    let (segment_by, order_by) = table.compressed_order().ok_or_else(|| Error::internal("it was just checked"))?;
    let time = table.hypertable.as_ref().expect("it is a hypertable").time_column;
    let data = work.transaction.version().table(table.id);
    let bytes_before =
        chunk.compressed.as_ref().map_or(0, |c| c.bytes_before) + size::chunk_bytes(&data, time, chunk).ordinary;
    tokio::task::block_in_place(|| work.engine.store.rewrite_chunk(table.id, chunk.range, true))?;
    let compressed = Compressed { segment_by, order_by, bytes_before };
    Ok(work.transaction.compress(table.id, chunk.range, Some(Arc::new(compressed)))?)
}

/// Says that there is nothing to do, unless that is an error. Nothing is by default.
fn skip(work: &mut Work, arguments: &Arguments, unless: &str, text: String) -> Result<()> {
    if arguments.given(unless).is_some() && !arguments.truth(unless)? {
        return Err(Error::new("42710", text));
    }
    work.notice(Notice::new(text));
    Ok(())
}

/// The chunk of a name.
fn find(work: &Work, name: &str) -> Result<(Arc<Table>, Chunk)> {
    let parts = parse::parse_name(name)?;
    let wanted = parts.last().cloned().unwrap_or_default();
    let version = work.transaction.version();
    let cut = version.catalog().tables.values().filter(|table| !matches!(table.kind, TableKind::FrozenBase(_)));
    for table in cut.filter(|table| table.hypertable.is_some()) {
        let data = version.table(table.id);
        if let Some(chunk) = data.chunks.values().find(|chunk| bare(table, chunk) == wanted) {
            return Ok((table.clone(), chunk.clone()));
        }
    }
    work.resolve(&parts)?;
    Err(Error::new("42704", format!("\"{wanted}\" is not a chunk")).hint("Names of chunks are given by show_chunks."))
}

/// Name of a chunk, without its schema.
fn bare(table: &Table, chunk: &Chunk) -> String {
    let name = chunk_name(table, chunk);
    name.split_once('.').map(|(_, name)| name.to_owned()).unwrap_or(name)
}
