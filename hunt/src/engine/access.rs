//! What Spark means by an index and by a division: entries of a map by their key, of a list from 0, and numbers that have a
//! fraction. The engine asks this before it uses its own meaning.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::functions::core::{expr_fn::nullif, get_field};
use datafusion::functions_nested::extract::array_element;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::{
    Expr, ExprSchemable, GetFieldAccess, Operator, ScalarUDF, binary_expr, cast, lit, when,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::lookup::{EachField, MapValue};

/// Plans what Spark reads otherwise than the engine.
#[derive(Debug)]
pub(super) struct SparkPlanner {
    map_value: Arc<ScalarUDF>,
    each_field: Arc<ScalarUDF>,
}

impl SparkPlanner {
    pub(super) fn new() -> Self {
        Self {
            map_value: Arc::new(ScalarUDF::new_from_impl(MapValue::new())),
            each_field: Arc::new(ScalarUDF::new_from_impl(EachField::new())),
        }
    }

    /// A field of each struct in a list, as a list: `answers.data`.
    fn of_each(&self, list: Expr, name: &str) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(self.each_field.clone(), vec![list, lit(name)]))
    }

    /// An entry of a map. The engine's own way to it is not to be had below a struct (an error inside the engine where the
    /// fields of structs are read one by one, which is what makes queries of few fields fast).
    fn entry(&self, map: Expr, key: Expr) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(self.map_value.clone(), vec![map, key]))
    }
}

impl ExprPlanner for SparkPlanner {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = access;
        Ok(match (expr.get_type(schema)?, field_access) {
            (DataType::Map(..), GetFieldAccess::NamedStructField { name }) => {
                PlannerResult::Planned(self.entry(expr, lit(name)))
            }
            (
                DataType::List(item),
                GetFieldAccess::NamedStructField { name: ScalarValue::Utf8(Some(name)) },
            ) if matches!(item.data_type(), DataType::Struct(_)) => {
                PlannerResult::Planned(self.of_each(expr, &name))
            }
            (DataType::Map(..), GetFieldAccess::ListIndex { key }) => {
                PlannerResult::Planned(self.entry(expr, *key))
            }
            (DataType::List(_) | DataType::LargeList(_), GetFieldAccess::ListIndex { key }) => {
                PlannerResult::Planned(array_element(expr, place(*key)?))
            }
            (_, field_access) => PlannerResult::Original(RawFieldAccessExpr { field_access, expr }),
        })
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut kind = Some(field.data_type());
        for name in nested_names {
            if let Some(DataType::Map(..)) = kind {
                expr = self.entry(expr, lit(ScalarValue::from(name.as_str())));
                kind = None;
                continue;
            }
            if let Some(DataType::List(item)) = kind
                && let DataType::Struct(_) = item.data_type()
            {
                expr = self.of_each(expr, name);
                kind = None;
                continue;
            }
            kind = match kind {
                Some(DataType::Struct(fields)) => fields.find(name).map(|(_, field)| field.data_type()),
                _ => None,
            };
            expr = Expr::ScalarFunction(ScalarFunction::new_udf(get_field(), vec![expr, lit(name.as_str())]));
        }
        Ok(PlannerResult::Planned(expr))
    }

    fn plan_binary_op(
        &self,
        operation: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = operation;
        if matches!(op, BinaryOperator::Divide)
            && is_number(&left.get_type(schema)?)
            && is_number(&right.get_type(schema)?)
        {
            // Spark refuses to divide by zero; a hunt over millions of rows is better served by null.
            let divisor = nullif(cast(right, DataType::Float64), lit(0.0));
            return Ok(PlannerResult::Planned(binary_expr(
                cast(left, DataType::Float64),
                Operator::Divide,
                divisor,
            )));
        }
        if matches!(op, BinaryOperator::MyIntegerDivide) {
            let whole = binary_expr(
                cast(left, DataType::Int64),
                Operator::Divide,
                nullif(cast(right, DataType::Int64), lit(0i64)),
            );
            return Ok(PlannerResult::Planned(whole));
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// The place of an entry in a list that the engine counts from 1; below zero there is none.
fn place(index: Expr) -> Result<Expr> {
    match index {
        Expr::Literal(ScalarValue::Int64(Some(index)), _) => Ok(lit(index.saturating_add(1).max(0))),
        index => {
            let index = cast(index, DataType::Int64);
            when(index.clone().gt_eq(lit(0i64)), index + lit(1i64)).otherwise(lit(0i64))
        }
    }
}

fn is_number(kind: &DataType) -> bool {
    kind.is_integer() || kind.is_floating()
}
