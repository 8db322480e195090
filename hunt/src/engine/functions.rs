//! The functions that hunts use besides those of the engine. In every engine they give the same (`tests/functions.toml`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::{as_int64_array, as_string_array};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use parsers::names::registered;

/// The functions, and what they give.
pub const FUNCTIONS: [(&str, &str); 6] = [
    ("tld(name)", "public suffix of a name, by the public suffix list"),
    ("registered_domain(name)", "registered domain of a name, by the same list"),
    ("subnet(address, bits)", "network of so many bits that an address is in"),
    ("is_private(address)", "whether an address is of a private network, link-local or loopback"),
    ("entropy(text)", "Shannon's entropy of the bytes of a text, in bits a byte"),
    ("unbase64_text(text)", "text that a Base64 text hides, else null"),
];

/// Makes the functions known to a session.
pub(super) fn register(session: &SessionContext) {
    let functions = [
        of_text("tld", DataType::Utf8, |texts| to_texts(texts, tld)),
        of_text("registered_domain", DataType::Utf8, |texts| to_texts(texts, registered_domain)),
        of_text("is_private", DataType::Boolean, |addresses| {
            Arc::new(addresses.iter().map(|address| is_private(address?)).collect::<BooleanArray>())
        }),
        of_text("entropy", DataType::Float64, |texts| {
            Arc::new(texts.iter().map(|text| text.map(entropy)).collect::<Float64Array>())
        }),
        of_text("unbase64_text", DataType::Utf8, |texts| to_texts(texts, unbase64_text)),
        of_subnet(),
    ];
    for function in functions {
        session.register_udf(function);
    }
}

/// A function of one text.
fn of_text(
    name: &str,
    gives: DataType,
    work: impl Fn(&StringArray) -> ArrayRef + Send + Sync + 'static,
) -> ScalarUDF {
    create_udf(
        name,
        vec![DataType::Utf8],
        gives,
        Volatility::Immutable,
        Arc::new(move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [texts] = arrays.as_slice() else { return wrong_arguments() };
            let result = work(as_string_array(texts)?);
            Ok(ColumnarValue::Array(result))
        }),
    )
}

fn of_subnet() -> ScalarUDF {
    create_udf(
        "subnet",
        vec![DataType::Utf8, DataType::Int64],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [addresses, bits] = arrays.as_slice() else { return wrong_arguments() };
            let pairs = as_string_array(addresses)?.iter().zip(as_int64_array(bits)?.iter());
            let networks: StringArray = pairs.map(|(address, bits)| subnet(address?, bits?)).collect();
            Ok(ColumnarValue::Array(Arc::new(networks)))
        }),
    )
}

fn wrong_arguments<T>() -> Result<T> {
    datafusion::common::internal_err!("a function was called with other arguments than it declares")
}

fn to_texts(texts: &StringArray, work: impl Fn(&str) -> Option<String>) -> ArrayRef {
    Arc::new(texts.iter().map(|text| work(text?)).collect::<StringArray>())
}

/// A name as the list has it: lower case, without the dot behind its end.
fn canonical(name: &str) -> String {
    let mut name = name.to_lowercase();
    if name.ends_with('.') {
        name.pop();
    }
    name
}

fn tld(name: &str) -> Option<String> {
    let name = canonical(name);
    let parts = registered(name.as_bytes())?;
    name.get(parts.suffix..).map(str::to_owned)
}

fn registered_domain(name: &str) -> Option<String> {
    let name = canonical(name);
    let parts = registered(name.as_bytes())?;
    name.get(parts.domain?..).map(str::to_owned)
}

fn subnet(address: &str, bits: i64) -> Option<String> {
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let host = 32u32.checked_sub(u32::try_from(bits).ok()?)?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & mask)))
        }
        IpAddr::V6(address) => {
            let host = 128u32.checked_sub(u32::try_from(bits).ok()?)?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask)))
        }
    }
}

/// RFC 1918, RFC 4193, link-local (RFC 3927, RFC 4291) and loopback.
fn is_private(address: &str) -> Option<bool> {
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    })
}

fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in text.as_bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / length * (length / f64::from(*count)).log2();
    counts.iter().filter(|count| **count > 0).map(share).sum()
}

/// Strict: padded, in the standard alphabet, without bits to spare; a text without control characters.
fn unbase64_text(text: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let is_text = !decoded.chars().any(|char| char.is_control() && !matches!(char, '\t' | '\n' | '\r'));
    is_text.then_some(decoded)
}
