//! What the columns of an answer are called where the query does not say: as the query has them written, `src_ip.address`. In
//! a query within another they go by their last name, `address`, as in Spark, since that is how the outer one refers to them.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor,
};

/// Names the columns of a query.
pub(super) fn columns(select: &mut Select, is_inner: bool) {
    let relations = relations(select);
    let wanted: Vec<Option<String>> =
        select.projection.iter().map(|item| wanted(item, &relations, is_inner)).collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for name in wanted.iter().flatten() {
        *uses.entry(name.clone()).or_default() += 1;
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    for (item, wanted) in select.projection.iter_mut().zip(wanted) {
        let (SelectItem::UnnamedExpr(expr), Some(mut name)) = (&*item, wanted) else { continue };
        if uses.get(&name).is_some_and(|uses| *uses > 1) {
            name = expr.to_string();
        } else if is_column(expr, &relations) {
            continue;
        }
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name} ({count})");
        }
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('`', name) };
    }
}

/// Lets `ORDER BY address` mean the column that was asked for as `src_ip.address`.
pub(super) fn order(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let relations = relations(select);
    let Some(OrderByKind::Expressions(orders)) = query.order_by.as_mut().map(|order| &mut order.kind) else {
        return;
    };
    for order in orders {
        let Expr::Identifier(name) = &order.expr else { continue };
        let is_named = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.eq_ignore_ascii_case(&name.value),
            SelectItem::UnnamedExpr(Expr::Identifier(column)) => {
                column.value.eq_ignore_ascii_case(&name.value)
            }
            _ => false,
        };
        if select.projection.iter().any(is_named) {
            continue;
        }
        let mut meant = select.projection.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(path @ Expr::CompoundIdentifier(parts))
                if !is_column(path, &relations)
                    && parts.last().is_some_and(|last| last.value.eq_ignore_ascii_case(&name.value)) =>
            {
                Some(path.clone())
            }
            _ => None,
        });
        if let (Some(path), None) = (meant.next(), meant.next()) {
            order.expr = path;
        }
    }
}

/// What a column would be called if no other were called so.
fn wanted(item: &SelectItem, relations: &[Ident], is_inner: bool) -> Option<String> {
    let expr = match item {
        SelectItem::ExprWithAlias { alias, .. } => return Some(alias.value.clone()),
        SelectItem::UnnamedExpr(expr) => expr,
        _ => return None,
    };
    Some(match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => {
            let path = if parts.len() > 1 && is_relation(parts.first(), relations) {
                &parts[1..]
            } else {
                &parts[..]
            };
            match path.last() {
                Some(last) if is_inner => last.value.clone(),
                _ => path.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."),
            }
        }
        other => other.to_string(),
    })
}

/// Whether an expression is a column, which has its name anyway.
fn is_column(expr: &Expr, relations: &[Ident]) -> bool {
    match expr {
        Expr::Identifier(_) => true,
        Expr::CompoundIdentifier(parts) => parts.len() == 2 && is_relation(parts.first(), relations),
        _ => false,
    }
}

fn is_relation(name: Option<&Ident>, relations: &[Ident]) -> bool {
    name.is_some_and(|name| relations.iter().any(|relation| relation.value.eq_ignore_ascii_case(&name.value)))
}

/// By which names the tables of a query go in it.
fn relations(select: &Select) -> Vec<Ident> {
    let factors = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let views = select.lateral_views.iter().filter_map(|view| last(&view.lateral_view_name));
    factors.filter_map(name_of).chain(views).collect()
}

/// By which name a table goes.
pub(super) fn name_of(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => last(name),
        _ => None,
    }
}

fn last(name: &ObjectName) -> Option<Ident> {
    name.0.last().and_then(|part| part.as_ident()).cloned()
}
