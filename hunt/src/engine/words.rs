//! Functions of Spark's SQL that the engine calls otherwise, or has to put together.

/// Functions that differ in their names only.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("any", "bool_or"),
    ("approx_count_distinct", "approx_distinct"),
    ("array", "make_array"),
    ("array_contains", "array_has"),
    ("array_join", "array_to_string"),
    ("array_size", "cardinality"),
    ("arrays_overlap", "array_has_any"),
    ("bool_any", "bool_or"),
    ("char", "chr"),
    ("endswith", "ends_with"),
    ("every", "bool_and"),
    ("exists", "array_any_match"),
    ("explode", "unnest"),
    ("filter", "array_filter"),
    ("lcase", "lower"),
    ("len", "length"),
    ("map_from_arrays", "map"),
    ("percentile_approx", "approx_percentile_cont"),
    ("regexp", "regexp_like"),
    ("rlike", "regexp_like"),
    ("sequence", "generate_series"),
    ("size", "cardinality"),
    ("some", "bool_or"),
    ("startswith", "starts_with"),
    ("std", "stddev"),
    ("substring_index", "substr_index"),
    ("transform", "array_transform"),
    ("ucase", "upper"),
    ("variance", "var_samp"),
];

/// Functions that are put together of others; `_1`, `_2`, … are the arguments. The number is how many there are.
pub(super) const SPELLED_OUT: &[(&str, usize, &str)] = &[
    // Parts of times.
    ("year", 1, "cast(date_part('year', _1) as int)"),
    ("quarter", 1, "cast(date_part('quarter', _1) as int)"),
    ("month", 1, "cast(date_part('month', _1) as int)"),
    ("weekofyear", 1, "cast(date_part('week', _1) as int)"),
    ("day", 1, "cast(date_part('day', _1) as int)"),
    ("dayofmonth", 1, "cast(date_part('day', _1) as int)"),
    ("dayofyear", 1, "cast(date_part('doy', _1) as int)"),
    ("dayofweek", 1, "cast(date_part('dow', _1) + 1 as int)"),
    ("weekday", 1, "cast((date_part('dow', _1) + 6) % 7 as int)"),
    ("hour", 1, "cast(date_part('hour', _1) as int)"),
    ("minute", 1, "cast(date_part('minute', _1) as int)"),
    ("second", 1, "cast(floor(date_part('second', _1)) as int)"),
    // Times and numbers.
    ("epoch", 1, "cast(date_part('epoch', _1) as double)"),
    ("unix_timestamp", 1, "cast(floor(date_part('epoch', _1)) as bigint)"),
    ("to_unix_timestamp", 1, "cast(floor(date_part('epoch', _1)) as bigint)"),
    ("unix_seconds", 1, "cast(floor(date_part('epoch', _1)) as bigint)"),
    ("unix_millis", 1, "cast(floor(date_part('epoch', _1) * 1000) as bigint)"),
    ("unix_micros", 1, "cast(round(date_part('epoch', _1) * 1000000) as bigint)"),
    ("timestamp_seconds", 1, "cast(to_timestamp_seconds(_1) as timestamp)"),
    ("timestamp_millis", 1, "cast(to_timestamp_millis(_1) as timestamp)"),
    ("timestamp_micros", 1, "cast(to_timestamp_micros(_1) as timestamp)"),
    ("from_unixtime", 1, "to_char(to_timestamp_seconds(_1), '%Y-%m-%d %H:%M:%S')"),
    ("datediff", 2, "cast(cast(_1 as date) as int) - cast(cast(_2 as date) as int)"),
    ("date_add", 2, "cast(cast(cast(cast(_1 as date) as int) + _2 as int) as date)"),
    ("date_sub", 2, "cast(cast(cast(cast(_1 as date) as int) - _2 as int) as date)"),
    ("last_day", 1, "cast(date_trunc('month', _1) + interval '1 month' - interval '1 day' as date)"),
    // Texts.
    ("ifnull", 2, "coalesce(_1, _2)"),
    ("isnull", 1, "_1 is null"),
    ("isnotnull", 1, "_1 is not null"),
    ("if", 3, "case when _1 then _2 else _3 end"),
    ("iff", 3, "case when _1 then _2 else _3 end"),
    ("instr", 2, "strpos(_1, _2)"),
    ("locate", 2, "strpos(_2, _1)"),
    ("position", 2, "strpos(_2, _1)"),
    ("regexp_extract", 2, "regexp_extract(_1, _2, 1)"),
    ("regexp_replace", 3, "regexp_replace(_1, _2, _3, 'g')"),
    ("regexp_count", 2, "cast(regexp_count(_1, _2) as int)"),
    ("split", 2, "split(_1, _2, -1)"),
    (
        "substring",
        2,
        "substr(_1, case when _2 < 0 then greatest(length(_1) + _2 + 1, 1) else greatest(_2, 1) end)",
    ),
    (
        "substring",
        3,
        "substr(_1, case when _2 < 0 then length(_1) + _2 + 1 else greatest(_2, 1) end, greatest(_3, 0))",
    ),
    (
        "substr",
        2,
        "substr(_1, case when _2 < 0 then greatest(length(_1) + _2 + 1, 1) else greatest(_2, 1) end)",
    ),
    (
        "substr",
        3,
        "substr(_1, case when _2 < 0 then length(_1) + _2 + 1 else greatest(_2, 1) end, greatest(_3, 0))",
    ),
    ("left", 2, "case when _2 > 0 then left(_1, _2) else left(_1, 0) end"),
    ("right", 2, "case when _2 > 0 then right(_1, _2) else right(_1, 0) end"),
    ("sha", 1, "encode(digest(_1, 'sha1'), 'hex')"),
    ("sha2", 2, "encode(digest(_1, concat('sha', cast(_2 as string))), 'hex')"),
    ("unbase64", 1, "decode(_1, 'base64')"),
    ("base64", 1, "encode(_1, 'base64pad')"),
    // Conversions that are called like functions.
    ("string", 1, "cast(_1 as string)"),
    ("boolean", 1, "cast(_1 as boolean)"),
    ("int", 1, "cast(_1 as int)"),
    ("bigint", 1, "cast(_1 as bigint)"),
    ("double", 1, "cast(_1 as double)"),
    ("date", 1, "cast(_1 as date)"),
    ("timestamp", 1, "cast(_1 as timestamp)"),
    // Lists and maps.
    ("sort_array", 1, "array_sort(_1, 'ASC', 'NULLS FIRST')"),
    (
        "sort_array",
        2,
        "array_sort(_1, case when _2 then 'ASC' else 'DESC' end, case when _2 then 'NULLS FIRST' else 'NULLS LAST' end)",
    ),
    ("explode_outer", 1, "unnest(case when cardinality(_1) > 0 then _1 else make_array(null) end)"),
    ("slice", 3, "array_slice(_1, _2, _2 + _3 - 1)"),
    ("map_contains_key", 2, "array_has(map_keys(_1), _2)"),
    // Aggregates.
    ("count_if", 1, "count(*) filter (where _1)"),
    ("first", 1, "first_value(_1)"),
    ("first", 2, "first_value(_1) filter (where _1 is not null)"),
    ("last", 1, "last_value(_1)"),
    ("last", 2, "last_value(_1) filter (where _1 is not null)"),
    ("any_value", 1, "first_value(_1)"),
    ("max_by", 2, "first_value(_1 order by _2 desc) filter (where _2 is not null)"),
    ("min_by", 2, "first_value(_1 order by _2) filter (where _2 is not null)"),
    ("mean", 1, "avg(_1)"),
];

/// Functions with a pattern for times as their last argument, with how many arguments; `_P` is the pattern in the engine's
/// letters.
pub(super) const WITH_PATTERN: &[(&str, usize, &str)] = &[
    ("date_format", 2, "to_char(_1, _P)"),
    ("from_unixtime", 2, "to_char(to_timestamp_seconds(_1), _P)"),
    ("to_timestamp", 2, "to_timestamp(_1, _P)"),
    ("to_date", 2, "to_date(_1, _P)"),
    ("unix_timestamp", 2, "cast(floor(date_part('epoch', to_timestamp(_1, _P))) as bigint)"),
];

/// Names of the functions above.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let renamed = RENAMED.iter().map(|(name, _)| *name);
    let spelled_out = SPELLED_OUT.iter().map(|(name, _, _)| *name);
    renamed
        .chain(spelled_out)
        .chain(WITH_PATTERN.iter().map(|(name, _, _)| *name))
        .chain(["collect_list", "collect_set"])
}

/// A pattern of Spark's for times in the engine's letters; what cannot be put so is told.
pub(super) fn time_pattern(pattern: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter == '\'' {
            // Quoted; two quotes are one, within as without.
            if rest.next_if_eq(&'\'').is_some() {
                out.push('\'');
                continue;
            }
            while let Some(inner) = rest.next() {
                match inner {
                    '\'' if rest.next_if_eq(&'\'').is_none() => break,
                    '%' => out.push_str("%%"),
                    inner => out.push(inner),
                }
            }
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            out.push_str(if letter == '%' { "%%" } else { "" });
            out.extend((letter != '%').then_some(letter));
            continue;
        }
        let mut count = 1;
        while rest.next_if_eq(&letter).is_some() {
            count += 1;
        }
        out.push_str(match (letter, count) {
            ('y' | 'u', 2) => "%y",
            ('y' | 'u', 1 | 3..) => "%Y",
            ('M' | 'L', 1) => "%-m",
            ('M' | 'L', 2) => "%m",
            ('M' | 'L', 3) => "%b",
            ('M' | 'L', 4) => "%B",
            ('d', 1) => "%-d",
            ('d', 2) => "%d",
            ('D', 3) => "%j",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            ('H', 1) => "%-H",
            ('H', 2) => "%H",
            ('h', 1) => "%-I",
            ('h', 2) => "%I",
            ('m', 1) => "%-M",
            ('m', 2) => "%M",
            ('s', 1) => "%-S",
            ('s', 2) => "%S",
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('S', 9) => "%9f",
            ('a', 1) => "%p",
            ('X', 3) => "%:z",
            _ => {
                return Err(format!(
                    "{} in the pattern '{pattern}' is not known",
                    letter.to_string().repeat(count)
                ));
            }
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_times_are_put_in_the_engines_letters() {
        assert_eq!(time_pattern("yyyy-MM-dd'T'HH:mm:ss.SSS").as_deref(), Ok("%Y-%m-%dT%H:%M:%S.%3f"));
        assert_eq!(time_pattern("d MMM yy, h 'o''clock' a %").as_deref(), Ok("%-d %b %y, %-I o'clock %p %%"));
        assert_eq!(time_pattern("yyyy '100% of ''this''' MM").as_deref(), Ok("%Y 100%% of 'this' %m"));
        assert!(time_pattern("QQ").is_err());
    }

    #[test]
    fn no_function_has_two_meanings() {
        let mut seen = std::collections::HashSet::new();
        for (name, count, template) in SPELLED_OUT {
            assert!(seen.insert((*name, *count)), "{name}");
            assert!((count + 1..9).all(|n| !template.contains(&format!("_{n}"))), "{name}");
            assert!(!RENAMED.iter().any(|(renamed, _)| renamed == name), "{name}");
        }
    }
}
