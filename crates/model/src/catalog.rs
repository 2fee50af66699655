//! Everything that has a name: a value that is folded over changes.
//!
//! The same [`Catalog::apply`] runs when a statement is executed, when its transaction commits and
//! when the log is replayed, so the three cannot differ.

use crate::continuous_aggregate::{CaggId, ContinuousAggregate};
use crate::job::{Job, JobId, JobRun, JobStats};
use crate::objects::{EnumType, Objects, Rules, Sequence};
use crate::schema::{ColumnType, Table, TableId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Runs of jobs that are remembered.
const JOB_RUNS_KEPT: usize = 10_000;

/// A SQL-language function or procedure of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its oid.
    pub id: u32,
    /// Schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Names and types of its arguments as SQL text.
    pub arguments: Vec<(String, String)>,
    /// Result type as SQL text; `None` for a procedure.
    pub returns: Option<String>,
    /// SQL statements.
    pub body: String,
}

/// The names, and what they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Schemas and their oids.
    pub schemas: BTreeMap<String, u32>,
    /// Tables of every kind.
    pub tables: BTreeMap<TableId, Arc<Table>>,
    /// Continuous aggregates.
    pub caggs: BTreeMap<CaggId, Arc<ContinuousAggregate>>,
    /// Jobs.
    pub jobs: BTreeMap<JobId, Arc<Job>>,
    /// How their runs went.
    pub job_stats: BTreeMap<JobId, JobStats>,
    /// The latest runs, oldest first.
    pub job_runs: VecDeque<Arc<JobRun>>,
    /// Functions by schema and name.
    pub functions: BTreeMap<(String, String), Arc<Function>>,
    /// Extensions said to be installed.
    pub extensions: BTreeSet<String>,
    /// Comments on objects, by what they are on.
    pub comments: BTreeMap<String, String>,
    /// The next unused oid.
    pub next_oid: u32,
    /// The next unused job number.
    pub next_job: i32,
    /// Enumerations, sequences and rules, which are kept by themselves.
    #[serde(skip)]
    pub objects: Objects,
    /// Shared by catalogs that plans cannot tell apart.
    #[serde(skip)]
    generation: Arc<()>,
}

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CatalogChange {
    /// Creates a schema.
    PutSchema(String, u32),
    /// Drops an empty schema.
    DropSchema(String),
    /// Creates or replaces a table's definition.
    PutTable(Arc<Table>),
    /// Drops a table.
    DropTable(TableId),
    /// Creates or replaces a continuous aggregate's definition.
    PutCagg(Arc<ContinuousAggregate>),
    /// Drops a continuous aggregate.
    DropCagg(CaggId),
    /// Creates or replaces a job.
    PutJob(Arc<Job>),
    /// Drops a job.
    DropJob(JobId),
    /// Replaces what is known of a job's runs.
    PutJobStats(JobId, JobStats),
    /// Remembers a run.
    AddJobRun(Arc<JobRun>),
    /// Creates or replaces a function.
    PutFunction(Arc<Function>),
    /// Drops a function.
    DropFunction(String, String),
    /// Notes an extension.
    PutExtension(String),
    /// Forgets an extension.
    DropExtension(String),
    /// Sets or, with `None`, removes a comment.
    Comment(String, Option<String>),
    /// Creates or replaces an enumeration, in the columns of tables too.
    PutEnum(Arc<EnumType>),
    /// Drops an enumeration.
    DropEnum(u32),
    /// Creates or replaces a sequence.
    PutSequence(Arc<Sequence>),
    /// Drops a sequence.
    DropSequence(u32),
    /// Replaces the rules of a table.
    PutRules(TableId, Arc<Rules>),
}

/// What a change is about; two transactions that change the same one conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectKey {
    /// A schema.
    Schema(String),
    /// A table, view or aggregate by schema and name.
    Relation(String, String),
    /// A table by identity.
    Table(TableId),
    /// An aggregate by identity.
    Cagg(CaggId),
    /// A job.
    Job(JobId),
    /// A function by schema and name.
    Function(String, String),
    /// An extension.
    Extension(String),
    /// A comment.
    Comment(String),
    /// An enumeration or a sequence by identity.
    Object(u32),
}

/// A change that does not fit the catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// The name is taken.
    #[error("relation \"{0}\" already exists")]
    RelationExists(String),
    /// The schema is not there.
    #[error("schema \"{0}\" does not exist")]
    NoSchema(String),
}

impl Catalog {
    /// The catalog of a new database.
    pub fn new() -> Self {
        Catalog {
            schemas: [("public".to_owned(), 2200)].into(),
            next_oid: 16_384,
            next_job: 1000,
            ..Default::default()
        }
    }

    /// Whether what was planned over one catalog holds over the other: they differ at most in how far sequences
    /// are, and in how jobs went.
    pub fn plans_like(&self, other: &Catalog) -> bool {
        Arc::ptr_eq(&self.generation, &other.generation)
    }

    /// The table, view or materialization named so, exactly.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.tables.values().find(|t| t.name == name && t.schema == schema)
    }

    /// The continuous aggregate named so, exactly.
    pub fn cagg(&self, schema: &str, name: &str) -> Option<&Arc<ContinuousAggregate>> {
        self.caggs.values().find(|c| c.name == name && c.schema == schema)
    }

    /// Continuous aggregates whose rows come from this table, as the bucketed source.
    pub fn caggs_over(&self, source: TableId) -> impl Iterator<Item = &Arc<ContinuousAggregate>> {
        self.caggs.values().filter(move |c| c.is_over(source))
    }

    /// Whether a table, view or aggregate has this name.
    pub fn is_taken(&self, schema: &str, name: &str) -> bool {
        self.table(schema, name).is_some()
            || self.cagg(schema, name).is_some()
            || self.tables.values().any(|t| t.schema == schema && t.indexes.iter().any(|i| i.name == name))
            || self.objects.sequence(schema, name).is_some()
    }

    /// Applies a change.
    ///
    /// # Errors
    /// When the name of a new relation is taken, or its schema does not exist; nothing is changed then.
    pub fn apply(&mut self, change: &CatalogChange) -> Result<(), CatalogError> {
        let only_counts = match change {
            CatalogChange::PutSequence(sequence) => self.objects.sequences.contains_key(&sequence.id),
            CatalogChange::PutJobStats(..) | CatalogChange::AddJobRun(_) => true,
            _ => false,
        };
        if !only_counts {
            self.generation = Arc::new(());
        }
        match change {
            CatalogChange::PutSchema(name, oid) => {
                self.schemas.insert(name.clone(), *oid);
                self.used(*oid);
            }
            CatalogChange::DropSchema(name) => {
                self.schemas.remove(name);
            }
            CatalogChange::PutTable(table) => {
                let same_name = self.table(&table.schema, &table.name).is_some_and(|t| t.id != table.id);
                if same_name || self.cagg(&table.schema, &table.name).is_some() {
                    return Err(CatalogError::RelationExists(table.name.clone()));
                }
                if !self.schemas.contains_key(&table.schema) {
                    return Err(CatalogError::NoSchema(table.schema.clone()));
                }
                self.used(table.id.0);
                table.indexes.iter().for_each(|i| self.used(i.id));
                self.tables.insert(table.id, table.clone());
            }
            CatalogChange::DropTable(id) => {
                self.tables.remove(id);
                self.objects.rules.remove(id);
                self.objects.sequences.retain(|_, s| s.owner.is_none_or(|(table, _)| table != *id));
            }
            CatalogChange::PutCagg(cagg) => {
                let same_name = self.cagg(&cagg.schema, &cagg.name).is_some_and(|c| c.id != cagg.id);
                if same_name || self.table(&cagg.schema, &cagg.name).is_some() {
                    return Err(CatalogError::RelationExists(cagg.name.clone()));
                }
                if !self.schemas.contains_key(&cagg.schema) {
                    return Err(CatalogError::NoSchema(cagg.schema.clone()));
                }
                self.used(cagg.id.0);
                self.caggs.insert(cagg.id, cagg.clone());
            }
            CatalogChange::DropCagg(id) => {
                self.caggs.remove(id);
            }
            CatalogChange::PutJob(job) => {
                self.next_job = self.next_job.max(job.id.0 + 1);
                self.jobs.insert(job.id, job.clone());
            }
            CatalogChange::DropJob(id) => {
                self.jobs.remove(id);
                self.job_stats.remove(id);
            }
            CatalogChange::PutJobStats(id, stats) => {
                if self.jobs.contains_key(id) {
                    self.job_stats.insert(*id, stats.clone());
                }
            }
            CatalogChange::AddJobRun(run) => {
                if self.job_runs.len() == JOB_RUNS_KEPT {
                    self.job_runs.pop_front();
                }
                self.job_runs.push_back(run.clone());
            }
            CatalogChange::PutFunction(function) => {
                self.used(function.id);
                self.functions.insert((function.schema.clone(), function.name.clone()), function.clone());
            }
            CatalogChange::DropFunction(schema, name) => {
                self.functions.remove(&(schema.clone(), name.clone()));
            }
            CatalogChange::PutExtension(name) => {
                self.extensions.insert(name.clone());
            }
            CatalogChange::DropExtension(name) => {
                self.extensions.remove(name);
            }
            CatalogChange::Comment(on, text) => {
                match text {
                    Some(text) => self.comments.insert(on.clone(), text.clone()),
                    None => self.comments.remove(on),
                };
            }
            CatalogChange::PutEnum(kind) => {
                self.used(kind.id.max(kind.array_id));
                self.objects.enums.insert(kind.id, kind.clone());
                self.tables.values_mut().for_each(|table| replace_enum(table, kind));
            }
            CatalogChange::DropEnum(id) => {
                self.objects.enums.remove(id);
            }
            CatalogChange::PutSequence(sequence) => {
                self.used(sequence.id);
                self.objects.sequences.insert(sequence.id, sequence.clone());
            }
            CatalogChange::DropSequence(id) => {
                self.objects.sequences.remove(id);
            }
            CatalogChange::PutRules(table, rules) => {
                rules.checks.iter().for_each(|c| self.used(c.id));
                self.objects.rules.insert(*table, rules.clone());
            }
        }
        Ok(())
    }

    fn used(&mut self, oid: u32) {
        self.next_oid = self.next_oid.max(oid + 1);
    }

    /// What a change is about: by name and by identity. Statistics of jobs are about nothing: the
    /// last one wins.
    pub fn keys(&self, change: &CatalogChange) -> Vec<ObjectKey> {
        match change {
            CatalogChange::PutSchema(name, _) | CatalogChange::DropSchema(name) => {
                vec![ObjectKey::Schema(name.clone())]
            }
            CatalogChange::PutTable(table) => vec![ObjectKey::Table(table.id), table.key()],
            CatalogChange::DropTable(id) => {
                let name = self.tables.get(id).map(|t| t.key());
                name.into_iter().chain([ObjectKey::Table(*id)]).collect()
            }
            CatalogChange::PutCagg(cagg) => vec![ObjectKey::Cagg(cagg.id), cagg.key()],
            CatalogChange::DropCagg(id) => {
                let name = self.caggs.get(id).map(|c| c.key());
                name.into_iter().chain([ObjectKey::Cagg(*id)]).collect()
            }
            CatalogChange::PutJob(job) => vec![job.key()],
            CatalogChange::DropJob(id) => vec![ObjectKey::Job(*id)],
            CatalogChange::PutJobStats(..) | CatalogChange::AddJobRun(_) => vec![],
            CatalogChange::PutFunction(f) => vec![ObjectKey::Function(f.schema.clone(), f.name.clone())],
            CatalogChange::DropFunction(schema, name) => vec![ObjectKey::Function(schema.clone(), name.clone())],
            CatalogChange::PutExtension(name) | CatalogChange::DropExtension(name) => {
                vec![ObjectKey::Extension(name.clone())]
            }
            CatalogChange::Comment(on, _) => vec![ObjectKey::Comment(on.clone())],
            CatalogChange::PutEnum(kind) => {
                vec![ObjectKey::Object(kind.id), ObjectKey::Relation(kind.schema.clone(), kind.name.clone())]
            }
            CatalogChange::DropEnum(id) | CatalogChange::DropSequence(id) => vec![ObjectKey::Object(*id)],
            // Numbers that are reserved are nobody's; only a new sequence can conflict, by its name.
            CatalogChange::PutSequence(sequence) if self.objects.sequences.contains_key(&sequence.id) => vec![],
            CatalogChange::PutSequence(sequence) => {
                vec![ObjectKey::Relation(sequence.schema.clone(), sequence.name.clone())]
            }
            CatalogChange::PutRules(table, _) => vec![ObjectKey::Table(*table)],
        }
    }
}

/// Gives the columns of an enumeration its new values.
fn replace_enum(table: &mut Arc<Table>, kind: &Arc<EnumType>) {
    fn of(column_type: &mut ColumnType, kind: &Arc<EnumType>) -> bool {
        match column_type {
            ColumnType::Enum(old) if old.id == kind.id => {
                *old = kind.clone();
                true
            }
            ColumnType::List(item) => of(item, kind),
            _ => false,
        }
    }
    let mut changed = table.as_ref().clone();
    let replaced = changed.columns.iter_mut().filter_map(|c| of(&mut c.column_type, kind).then_some(())).count();
    if replaced > 0 {
        *table = Arc::new(changed);
    }
}
