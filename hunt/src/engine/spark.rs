//! Spark's SQL as it is read: which texts and names mean what.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

/// The dialect of Databricks, as the parser knows it, with what Spark does besides: a backslash in a text escapes.
#[derive(Debug)]
pub(super) struct SparkDialect;

const BASE: DatabricksDialect = DatabricksDialect {};

/// Hands methods over to the dialect that this one is based on.
macro_rules! as_base {
    ($($method:ident),+ $(,)?) => {
        $(fn $method(&self) -> bool {
            BASE.$method()
        })+
    };
}

impl Dialect for SparkDialect {
    fn dialect(&self) -> TypeId {
        BASE.dialect()
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        BASE.is_delimited_identifier_start(character)
    }

    fn is_identifier_start(&self, character: char) -> bool {
        BASE.is_identifier_start(character)
    }

    fn is_identifier_part(&self, character: char) -> bool {
        BASE.is_identifier_part(character)
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    /// `\%` and `\_` stay as they are, for LIKE.
    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }

    /// `INTERVAL '1 day'` is written too.
    fn require_interval_qualifier(&self) -> bool {
        false
    }

    /// `DIV` binds as `/` does.
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        parser.peek_keyword(Keyword::DIV).then(|| Ok(self.prec_value(Precedence::MulDivModOp)))
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        parser.parse_keyword(Keyword::DIV).then(|| {
            let right = Box::new(parser.parse_subexpr(precedence)?);
            Ok(Expr::BinaryOp { left: Box::new(left.clone()), op: BinaryOperator::MyIntegerDivide, right })
        })
    }

    as_base! {
        supports_numeric_prefix,
        supports_filter_during_aggregation,
        supports_group_by_expr,
        supports_lambda_functions,
        supports_select_wildcard_except,
        supports_struct_literal,
        supports_nested_comments,
        supports_group_by_with_modifier,
        supports_values_as_table_factor,
        supports_bang_not_operator,
        supports_cte_without_as,
    }
}
