//! A table of the lake as the engine sees it: the files that are there when a query begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue, exec_err, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as StorePath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use schemas::table::Table;

use super::files::{self, Known, LakeFile, Look};
use super::months;

/// A table, whose files are listed anew for each query.
#[derive(Debug)]
pub(super) struct LakeTable {
    lake: PathBuf,
    name: &'static str,
    schema: TableSchema,
    /// The columns as files have them.
    written: SchemaRef,
    known: Arc<Known>,
    /// Only these files, where not all.
    only: Option<Vec<PathBuf>>,
}

impl LakeTable {
    pub(super) fn new(lake: &Path, table: &Table, known: Arc<Known>, only: Option<Vec<PathBuf>>) -> Self {
        let partition = |name| Arc::new(Field::new(name, DataType::Int32, false));
        let schema = TableSchema::builder(as_read(table.arrow_schema()))
            .with_table_partition_cols(vec![partition("year"), partition("month")])
            .build();
        Self {
            lake: lake.to_path_buf(),
            name: table.name,
            schema,
            written: table.arrow_schema().clone(),
            known,
            only,
        }
    }

    /// The files that there are now.
    fn files(&self) -> Result<Vec<LakeFile>> {
        match &self.only {
            // One that is gone was joined with others: whoever named it comes again with what it was joined to.
            Some(only) => Ok(only.iter().filter_map(|path| files::find(path).ok()).collect()),
            None => files::list(&self.lake, self.name).map_err(|error| {
                DataFusionError::External(
                    format!("reading {}: {error}", self.lake.join(self.name).display()).into(),
                )
            }),
        }
    }

    /// Those that can be read, of months that the filters leave.
    fn chosen(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<LakeFile>> {
        for _ in 0..files::LISTINGS {
            let mut files = self.of_months(state, filters)?;
            let looks: Vec<Look> = files.iter().map(|file| self.known.look(file, &self.written)).collect();
            // What named files of its own knows better than a listing where their rows are now.
            if self.only.is_some() || !looks.contains(&Look::Gone) {
                let mut looks = looks.into_iter();
                files.retain(|_| looks.next() == Some(Look::Sound));
                self.known.ask(&files);
                return Ok(files);
            }
        }
        exec_err!("the files of {} change all the time; ask again", self.name)
    }

    /// Those of months that the filters leave.
    fn of_months(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<LakeFile>> {
        let mut files = self.files()?;
        let Some(condition) = conjunction(filters.iter().cloned()) else { return Ok(files) };
        let mut all: Vec<(i32, i32)> = files.iter().map(|file| file.month).collect();
        all.sort_unstable();
        all.dedup();
        let columns = DFSchema::try_from(self.schema().clone())?;
        let condition = state.create_physical_expr(condition, &columns)?;
        let kept = months::may_hold(&all, condition, self.schema())?;
        files.retain(|file| all.binary_search(&file.month).is_ok_and(|place| kept.get(place) == Some(&true)));
        Ok(files)
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // They choose files, row groups and pages; rows are chosen by the engine.
        let pushed = |filter: &&Expr| match may_choose(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.chosen(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema(), projection)?)));
        }
        let files = files.into_iter().map(partitioned).collect::<Result<Vec<_>>>()?;
        let groups = FileGroup::new(files).split_files(state.config_options().execution.target_partitions);
        let format = ParquetFormat::new().with_options(state.default_table_options().parquet);
        let source = format.file_source(self.schema.clone());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}

/// The columns as the engine may count upon: any may be null, since a join makes it so and an older file may lack it, and a field of a
/// struct is where the struct is. Docs are left out: the engine compares them, and loses them on some ways and not on others.
fn as_read(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(|field| nullable(field)).collect::<Fields>()))
}

fn nullable(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| nullable(field)).collect()),
        DataType::List(item) => DataType::List(Arc::new(nullable(item))),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}

/// Whether a condition can tell of anything but of rows that they do not meet it. What a site excludes, by hundreds of patterns,
/// cannot, and would be weighed for each file.
fn may_choose(condition: &Expr) -> bool {
    match condition {
        Expr::Not(inner) => !matches!(inner.as_ref(), Expr::Like(_) | Expr::SimilarTo(_)),
        Expr::Like(like) => {
            let begins_open = match like.pattern.as_ref() {
                Expr::Literal(pattern, _) => {
                    pattern.try_as_str().flatten().is_some_and(|text| text.starts_with(['%', '_']))
                }
                _ => true,
            };
            !like.negated && !like.case_insensitive && !begins_open
        }
        _ => true,
    }
}

fn partitioned(file: LakeFile) -> Result<PartitionedFile> {
    let location = std::path::absolute(&file.path).map_err(DataFusionError::IoError).and_then(|path| {
        StorePath::from_absolute_path(path).map_err(|error| DataFusionError::External(error.into()))
    })?;
    let meta = ObjectMeta {
        location,
        last_modified: file.modified.into(),
        size: file.size,
        e_tag: None,
        version: None,
    };
    let (year, month) = file.month;
    Ok(PartitionedFile::new_from_meta(meta)
        .with_partition_values(vec![ScalarValue::Int32(Some(year)), ScalarValue::Int32(Some(month))]))
}
