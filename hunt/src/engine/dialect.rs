//! Spark's words, as the engine knows them: before a query is planned its text is taken apart, and some of it put differently.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, plan_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, Query, Select, Subscript, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;
use parsers::http::recognition::is_known_method;

use super::spark::SparkDialect;
use super::words::{RENAMED, SPELLED_OUT, WITH_PATTERN, time_pattern};
use super::{lateral, naming};

/// How deep expressions may lie in each other, so that none exhausts the stack.
const DEPTH: usize = 50;

/// A query as the engine understands it.
///
/// # Errors
/// The text is no query, or uses what the engine does not have.
pub(super) fn read(sql: &str) -> Result<Statement> {
    let parser = DFParserBuilder::new(sql)
        .with_dialect(&SparkDialect)
        .with_recursion_limit(DEPTH)
        .build()?
        .parse_statements();
    let mut statements = parser?;
    let (Some(mut statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return plan_err!("one query is answered at a time");
    };
    rewrite(&mut statement)?;
    Ok(statement)
}

fn rewrite(statement: &mut Statement) -> Result<()> {
    let outcome = match statement {
        Statement::Statement(statement) => statement.visit(&mut Rewriter::default()),
        Statement::Explain(explain) => return rewrite(&mut explain.statement),
        Statement::CreateExternalTable(_) => return plan_err!("only the lake is asked here"),
        _ => ControlFlow::Continue(()),
    };
    match outcome {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[derive(Default)]
struct Rewriter {
    /// In how many queries the present one lies.
    depth: usize,
}

impl VisitorMut for Rewriter {
    type Break = Box<DataFusionError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        naming::order(query);
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        naming::columns(select, self.depth > 1);
        flow(lateral::views(select))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        flow(put_differently(expr))
    }
}

fn flow(outcome: Result<()>) -> ControlFlow<Box<DataFusionError>> {
    outcome.map_or_else(|error| ControlFlow::Break(Box::new(error)), ControlFlow::Continue)
}

fn put_differently(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::RLike { negated, expr: text, pattern, .. } => {
            let template = if *negated { "not regexp_like(_1, _2)" } else { "regexp_like(_1, _2)" };
            *expr = fill(template, &[*text.clone(), *pattern.clone()])?;
        }
        Expr::Substring { expr: text, substring_from: Some(from), substring_for, .. } => {
            let mut arguments = vec![*text.clone(), *from.clone()];
            arguments.extend(substring_for.as_deref().cloned());
            if let Some(template) = spelled_out("substring", arguments.len()) {
                *expr = fill(template, &arguments)?;
            }
        }
        Expr::Function(function) => {
            if let Some(other) = call(function)? {
                *expr = other;
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            if let Some(line) = request_line(root, access_chain)? {
                *expr = line;
                return Ok(());
            }
            // Behind an index the engine takes names of fields as texts only.
            let behind = access_chain.iter().position(|access| matches!(access, AccessExpr::Subscript(_)));
            for access in access_chain.iter_mut().skip(behind.map_or(usize::MAX, |place| place + 1)) {
                if let AccessExpr::Dot(field) = access
                    && let Expr::Identifier(name) = field
                {
                    *field = text(&name.value);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A call of a function that the engine calls otherwise; `None` where the name is all that changes.
fn call(function: &mut Function) -> Result<Option<Expr>> {
    let [name] = function.name.0.as_slice() else { return Ok(None) };
    let name = name.to_string().to_lowercase();
    if let Some((_, engine)) = RENAMED.iter().find(|(spark, _)| *spark == name) {
        function.name = ObjectName::from(vec![Ident::new(*engine)]);
        return Ok(None);
    }
    let Some(arguments) = arguments(&function.args) else { return Ok(None) };
    let filled = match (name.as_str(), arguments.as_slice()) {
        ("collect_list" | "collect_set", [argument]) => {
            return gather(function, argument.clone(), name == "collect_set").map(Some);
        }
        // Keys and values in turn; the engine's takes a list of each.
        ("map", pairs) if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
            let (keys, values): (Vec<_>, Vec<_>) =
                pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).unzip();
            let list = |entries: &[Expr]| {
                let places = (1..=entries.len()).map(|place| format!("_{place}")).collect::<Vec<_>>();
                fill(&format!("make_array({})", places.join(", ")), entries)
            };
            Some(fill("map(_1, _2)", &[list(&keys)?, list(&values)?])?)
        }
        // The engine's takes null for an empty text.
        ("concat", [first, rest @ ..]) if !rest.is_empty() => {
            let joined = rest
                .iter()
                .try_fold(first.clone(), |joined, next| fill("(_1) || (_2)", &[joined, next.clone()]))?;
            Some(joined)
        }
        _ => {
            let pattern =
                WITH_PATTERN.iter().find(|(spark, count, _)| *spark == name && *count == arguments.len());
            match (pattern, arguments.last(), spelled_out(&name, arguments.len())) {
                (Some((_, _, template)), Some(pattern), _) => {
                    let Some(pattern) = literal(pattern) else {
                        return plan_err!("the pattern of {name} has to be a text");
                    };
                    let pattern =
                        time_pattern(pattern).map_err(|error| plan_datafusion_err!("{name}: {error}"))?;
                    let template = template.replace("_P", "_2");
                    Some(fill(&template, &[arguments.first().cloned().unwrap_or_else(null), text(&pattern)])?)
                }
                (_, _, Some(template)) => Some(fill(template, &arguments)?),
                _ => None,
            }
        }
    };
    let Some(mut filled) = filled else { return Ok(None) };
    let is_plain = function.over.is_none() && function.filter.is_none() && function.null_treatment.is_none();
    match &mut filled {
        _ if is_plain => {}
        Expr::Function(inner) if inner.filter.is_none() || function.filter.is_none() => {
            inner.over = function.over.take();
            inner.filter = inner.filter.take().or(function.filter.take());
            inner.null_treatment = function.null_treatment.take();
        }
        _ => return plan_err!("{name} takes no FILTER or OVER here"),
    }
    Ok(Some(filled))
}

fn spelled_out(name: &str, count: usize) -> Option<&'static str> {
    SPELLED_OUT
        .iter()
        .find(|(spark, takes, _)| *spark == name && *takes == count)
        .map(|(_, _, template)| *template)
}

/// `collect_list` and `collect_set`: nulls are not collected, and of nothing the list is empty.
fn gather(function: &mut Function, argument: Expr, distinct: bool) -> Result<Expr> {
    function.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let (true, FunctionArguments::List(list)) = (distinct, &mut function.args) {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    let filter = match function.filter.take() {
        Some(filter) => fill("(_1) and _2 is not null", &[*filter, argument])?,
        None => fill("_1 is not null", &[argument])?,
    };
    function.filter = Some(Box::new(filter));
    fill("or_empty(_1)", &[Expr::Function(function.clone())])
}

/// `request.headers['GET']`: the request line where the method is that, else the header of that name.
fn request_line(root: &Expr, chain: &[AccessExpr]) -> Result<Option<Expr>> {
    let Some((AccessExpr::Subscript(Subscript::Index { index }), before)) = chain.split_last() else {
        return Ok(None);
    };
    let Some(key) = literal(index).filter(|key| is_known_method(key.as_bytes())) else { return Ok(None) };
    let mut path = root.to_string();
    before.iter().for_each(|access| path.push_str(&access.to_string()));
    let Some((request, "headers")) =
        path.rsplit_once('.').map(|(request, last)| (request, last.trim_matches('`')))
    else {
        return Ok(None);
    };
    if request.rsplit('.').next().map(|name| name.trim_matches('`')) != Some("request") {
        return Ok(None);
    }
    let line = schemas::request_line::line(request);
    let header = Expr::CompoundFieldAccess { root: Box::new(root.clone()), access_chain: chain.to_vec() };
    fill(&format!("case when {request}.method = _1 then {line} else _2 end"), &[text(key), header]).map(Some)
}

/// The arguments of a call, where they are plain.
fn arguments(arguments: &FunctionArguments) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = arguments else { return Some(Vec::new()) };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::DoubleQuotedString(text),
            ..
        }) => Some(text),
        _ => None,
    }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// An expression with `_1`, `_2`, … in it replaced. Texts are never written out and read again: what is quoted in them stays.
pub(super) fn fill(template: &str, arguments: &[Expr]) -> Result<Expr> {
    struct Filler<'a>(&'a [Expr]);
    impl VisitorMut for Filler<'_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let place = match expr {
                Expr::Identifier(name) => {
                    name.value.strip_prefix('_').and_then(|number| number.parse::<usize>().ok())
                }
                _ => None,
            };
            if let Some(argument) = place.and_then(|place| self.0.get(place.checked_sub(1)?)) {
                *expr = argument.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let parsed = Parser::new(&SparkDialect).try_with_sql(template).and_then(|mut parser| parser.parse_expr());
    let mut expr = parsed.map_err(|error| plan_datafusion_err!("{template}: {error}"))?;
    let _ = expr.visit(&mut Filler(arguments));
    Ok(expr)
}
