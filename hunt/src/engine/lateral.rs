//! `FROM tls LATERAL VIEW explode(cert_chain) chain AS fingerprint`: for the engine, a query in the place of the table.

use std::ops::ControlFlow;

use datafusion::common::{not_impl_err, plan_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, LateralView, ObjectName, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor,
    VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::naming::name_of;
use super::spark::SparkDialect;

/// Puts the views of a query into its table.
pub(super) fn views(select: &mut Select) -> Result<()> {
    for view in std::mem::take(&mut select.lateral_views) {
        let [from] = select.from.as_mut_slice() else {
            return not_impl_err!("LATERAL VIEW over several tables; put them into a query of their own");
        };
        if !from.joins.is_empty() {
            return not_impl_err!("LATERAL VIEW behind a join; put the join into a query of its own");
        }
        from.relation = exploded(&from.relation, &view)?;
        if let Some(name) = view.lateral_view_name.0.last().and_then(|part| part.as_ident()) {
            let column = column(&view);
            let _ = select.visit(&mut Unqualify { view: name.clone(), column });
        }
    }
    Ok(())
}

fn column(view: &LateralView) -> Ident {
    view.lateral_col_alias.first().cloned().unwrap_or_else(|| Ident::new("col"))
}

/// What makes the rows: with `OUTER` one is left, of null, where a list has no entry.
fn rows(view: &LateralView) -> Result<Expr> {
    let mut rows = view.lateral_view.clone();
    let Expr::Function(function) = &mut rows else { return not_impl_err!("LATERAL VIEW {rows}") };
    let name = function.name.to_string().to_lowercase();
    if !["explode", "explode_outer"].contains(&name.as_str()) {
        return not_impl_err!("LATERAL VIEW {name}(…); there are explode and explode_outer");
    }
    if view.outer {
        function.name = ObjectName::from(vec![Ident::new("explode_outer")]);
    }
    Ok(rows)
}

/// The table with a column more, of a row for each entry of a list.
fn exploded(table: &TableFactor, view: &LateralView) -> Result<TableFactor> {
    let Some(name) = name_of(table) else { return plan_err!("LATERAL VIEW over what has no name") };
    let rows = rows(view)?;
    let query = format!("SELECT *, {rows} AS {} FROM {table}", column(view));
    let parsed = Parser::parse_sql(&SparkDialect, &query)
        .map_err(|error| plan_datafusion_err!("LATERAL VIEW: {error}"))?;
    let Some(Statement::Query(mut query)) = parsed.into_iter().next() else {
        return plan_err!("LATERAL VIEW over what is no table");
    };
    // What was read is put in anew as it was: texts in it were not written out to be read again.
    if let SetExpr::Select(inner) = query.body.as_mut() {
        if let Some(from) = inner.from.first_mut() {
            from.relation = table.clone();
        }
        if let Some(SelectItem::ExprWithAlias { expr, .. }) = inner.projection.last_mut() {
            *expr = rows;
        }
    }
    Ok(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None }),
        sample: None,
    })
}

/// `chain.fingerprint` is `fingerprint`.
struct Unqualify {
    view: Ident,
    column: Ident,
}

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [view, column, rest @ ..] = parts.as_slice()
            && view.value.eq_ignore_ascii_case(&self.view.value)
            && column.value.eq_ignore_ascii_case(&self.column.value)
        {
            let mut path = vec![column.clone()];
            path.extend_from_slice(rest);
            *expr = if rest.is_empty() {
                Expr::Identifier(column.clone())
            } else {
                Expr::CompoundIdentifier(path)
            };
        }
        ControlFlow::Continue(())
    }
}
