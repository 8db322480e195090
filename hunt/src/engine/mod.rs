//! SQL over a lake: the engine, the lake's tables in it, and the words of Spark's SQL that it does not know of itself.

mod access;
mod count;
mod dialect;
pub mod files;
mod functions;
mod lateral;
mod lookup;
mod memory;
mod months;
mod naming;
mod scoped;
mod spark;
mod spill;
mod split;
mod table;
mod words;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::parser::ParserError;
use schemas::table::tables;
use tokio::runtime::{Builder, Runtime};

use futures::StreamExt;

pub use functions::FUNCTIONS;
pub use scoped::Scope;
pub use split::split;

use access::SparkPlanner;
use files::Known;
use memory::Pool;
use spill::Spill;
use table::LakeTable;

/// Memory that queries may hold at the least where nothing else is asked for: beyond it they use the disk, and where they
/// cannot, end.
pub const MEMORY: usize = 2 << 30;

/// A quarter of the memory of the machine, or of the control group, in bytes, but not less than [`MEMORY`]: what is left is for
/// others, a sensor above all.
pub fn quarter() -> usize {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let meminfo = read("/proc/meminfo");
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let machine = total.and_then(|total| total.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    let groups = read("/proc/self/cgroup");
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let group =
        group.and_then(|group| read(&format!("/sys/fs/cgroup/{group}/memory.max")).trim().parse().ok());
    let all = [machine.map(|kibibytes| kibibytes << 10), group].into_iter().flatten().min();
    all.map_or(MEMORY, |all| all / 4).max(MEMORY)
}

/// Stack of the threads that plan and run queries; it takes memory only where it is used.
pub const STACK: usize = 256 << 20;

/// The answer to a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Answer {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// A lake that is asked.
pub struct Lake {
    root: PathBuf,
    known: Arc<Known>,
    environment: Arc<RuntimeEnv>,
    session: SessionContext,
    runtime: Runtime,
    /// Last, so that it goes when nothing is in it any more.
    _spill: Option<Spill>,
}

impl Lake {
    /// Opens the lake in a folder. `memory` is what queries may hold, in bytes.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(root: &Path, memory: usize) -> Result<Self> {
        let metadata = fs::metadata(root).with_context(|| format!("opening the lake {}", root.display()))?;
        if !metadata.is_dir() {
            bail!("the lake {} is not a folder", root.display());
        }
        // Most queries need none; one that does says why there is none.
        let spill = Spill::below(&env::temp_dir()).ok();
        let mode = spill.as_ref().map_or(DiskManagerMode::OsTmpDirectory, |spill| {
            DiskManagerMode::Directories(vec![spill.folder().to_path_buf()])
        });
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(Pool::new(memory)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build()?;
        let runtime = Builder::new_multi_thread()
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .context("starting the engine")?;
        let (known, environment) = (Arc::new(Known::default()), Arc::new(environment));
        let session = session(root, &known, &environment)?;
        Ok(Self { root: root.to_path_buf(), known, environment, session, runtime, _spill: spill })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names of all functions that queries may use, sorted.
    pub fn functions(&self) -> Vec<String> {
        let state = self.session.state();
        let engine = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys());
        let mut names: Vec<String> = engine.cloned().chain(words::names().map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Answers a query.
    ///
    /// # Errors
    /// What is wrong with the query, or why it could not be carried out. Files that are damaged are left out, and told by
    /// [`Lake::damaged`].
    pub fn query(&self, sql: &str) -> Result<Answer> {
        let gathered = || {
            let mut batches = Vec::new();
            self.attempt(&self.session, sql, |batch| {
                batches.push(batch);
                Ok(())
            })?;
            Ok(batches)
        };
        let batches = gathered().or_else(|trouble: Trouble| match trouble {
            Trouble::Engine(error) if self.may_go_better(&error) => gathered(),
            trouble => Err(trouble),
        });
        let batches = batches.map_err(Trouble::told)?;
        let schema = batches.first().map(RecordBatch::schema).context("an answer without columns")?;
        Ok(Answer { schema, batches: batches.into_iter().filter(|batch| batch.num_rows() > 0).collect() })
    }

    /// Hands the rows of an answer to `each` as they come; before the first of them, and also where there are none, an empty
    /// batch that tells the columns.
    ///
    /// # Errors
    /// As [`Lake::query`], and what `each` returns.
    pub fn stream(&self, sql: &str, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut held = Held::default();
        let mut attempt = |held: &mut Held| {
            self.attempt(&self.session, sql, |batch| held.take(batch, &mut each).map_err(Trouble::Told))
        };
        let mut outcome = attempt(&mut held);
        // What was handed over cannot be taken back.
        if let Err(Trouble::Engine(error)) = &outcome
            && !held.is_full
            && self.may_go_better(error)
        {
            held = Held::default();
            outcome = attempt(&mut held);
        }
        outcome.map_err(Trouble::told)?;
        held.batches.iter().try_for_each(each)
    }

    /// Files of the tables asked so far that cannot be read, and why.
    pub fn damaged(&self) -> BTreeMap<PathBuf, String> {
        self.known.damaged()
    }

    fn attempt(
        &self,
        session: &SessionContext,
        sql: &str,
        mut each: impl FnMut(RecordBatch) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        self.known.begin();
        let work = async {
            let plan = plan(session, sql).await?;
            let mut stream = execute(session, plan).await?;
            each(RecordBatch::new_empty(stream.schema()))?;
            while let Some(batch) = stream.next().await.transpose()? {
                each(batch)?;
            }
            Ok(())
        };
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done,
                _ = tokio::signal::ctrl_c() => Err(Trouble::Told(anyhow!("interrupted"))),
            }
        })
    }

    /// Whether another attempt may do what one could not: a file has gone since it was listed, or is damaged, which is found
    /// out here.
    fn may_go_better(&self, error: &DataFusionError) -> bool {
        if is_gone(error) {
            return true;
        }
        let of_a_file = matches!(
            error.find_root(),
            DataFusionError::ParquetError(_)
                | DataFusionError::ArrowError(..)
                | DataFusionError::IoError(_)
                | DataFusionError::ObjectStore(_)
                | DataFusionError::External(_)
        );
        if of_a_file {
            // One of those that were asked, which does not say its name.
            self.known.asked().iter().for_each(|file| self.known.read_whole(file));
        }
        // Where none is damaged one was replaced while it was read.
        of_a_file
    }
}

/// Whether a file was not there any more.
fn is_gone(error: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(datafusion::object_store::Error::NotFound { .. }) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    // Readers of Parquet tell what the store told them as a text.
    let text = error.to_string();
    text.contains(".parquet") && (text.contains("not found") || text.contains("NotFound"))
}

/// Rows that are held back until it is clear that they need not be asked for once more, or until they are too many.
#[derive(Default)]
struct Held {
    batches: Vec<RecordBatch>,
    bytes: usize,
    is_full: bool,
}

impl Held {
    const MOST: usize = 32 << 20;

    fn take(&mut self, batch: RecordBatch, each: &mut impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        if self.is_full {
            return each(&batch);
        }
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > Self::MOST {
            self.is_full = true;
            return self.batches.drain(..).try_for_each(|batch| each(&batch));
        }
        Ok(())
    }
}

/// Why an attempt failed.
enum Trouble {
    Engine(DataFusionError),
    Told(anyhow::Error),
}

impl From<DataFusionError> for Trouble {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error)
    }
}

impl Trouble {
    fn told(self) -> anyhow::Error {
        match self {
            Self::Engine(error) if is_gone(&error) => {
                anyhow!(
                    "files of the lake went while they were read (it was compacted, or is cleared out); ask again"
                )
            }
            // Without where in the engine it was noticed.
            Self::Engine(error) => {
                let text = error.strip_backtrace();
                let text = text
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
                match error.find_root() {
                    DataFusionError::Plan(what) if what.contains(UNKNOWN_TABLE) => {
                        let name = what.split('\'').nth(1).and_then(|name| name.rsplit('.').next());
                        let names: Vec<&str> = tables().map(|table| table.name).to_vec();
                        anyhow!("no table '{}'; there are {}", name.unwrap_or_default(), names.join(", "))
                    }
                    DataFusionError::SQL(error, _) => match error.as_ref() {
                        ParserError::TokenizerError(what) | ParserError::ParserError(what) => {
                            anyhow!("not understood: {what}")
                        }
                        ParserError::RecursionLimitExceeded => anyhow!("too deeply nested"),
                    },
                    DataFusionError::ResourcesExhausted(_) => {
                        anyhow!(
                            "the query needs more memory than it may have (--memory), or more disk than there is: {text}"
                        )
                    }
                    _ => anyhow!("{text}"),
                }
            }
            Self::Told(error) => error,
        }
    }
}

/// A session that knows the tables of the lake.
fn session(root: &Path, known: &Arc<Known>, environment: &Arc<RuntimeEnv>) -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_information_schema(true);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::Databricks;
    // As Spark names it, and as the lake has it: no views of text, and times of UTC.
    options.execution.parquet.schema_force_view_types = false;
    options.execution.time_zone = Some("UTC".to_owned());
    // Of columns that a condition does not name only the rows that meet it are read.
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    // Nulls are the least, as in Spark.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    let mut builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment.clone())
        .with_default_features();
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(SparkPlanner::new()));
    let session = SessionContext::new_with_state(builder.build());
    session.register_object_store(
        ObjectStoreUrl::local_filesystem().as_ref(),
        Arc::new(datafusion::object_store::local::LocalFileSystem::new()),
    );
    functions::register(&session);
    lookup::register(&session);
    count::register(&session);
    for table in tables() {
        session.register_table(table.name, Arc::new(LakeTable::new(root, table, known.clone(), None)))?;
    }
    Ok(session)
}

/// What the engine says of a table that it does not know, behind its name.
const UNKNOWN_TABLE: &str = "' not found";

async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan, DataFusionError> {
    let state = session.state();
    let plan = state.statement_to_plan(dialect::read(sql)?).await?;
    // Nothing writes into files here; what is made lives as long as the session.
    SQLOptions::new().with_allow_dml(false).verify_plan(&plan)?;
    Ok(plan)
}

async fn execute(
    session: &SessionContext,
    plan: LogicalPlan,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    session.execute_logical_plan(plan).await?.execute_stream().await
}
