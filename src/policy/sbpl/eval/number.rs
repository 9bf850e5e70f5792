//! Numbers: whole ones, and others as TinyScheme keeps them.

use super::super::rules::GapKind;
use super::value::Value;

/// A number with a point, as written.
pub(super) fn decimal<'t>(text: &str) -> Value<'t> {
    text.parse().map_or(Value::Unknown(GapKind::Form), Value::Real)
}

/// `string->number`: a number, or `#f`.
pub(super) fn read<'t>(text: &str, radix: u32) -> Value<'t> {
    if let Ok(number) = i64::from_str_radix(text, radix) {
        return Value::Number(number);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let decimal = radix == 10
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b == b'.' || b.is_ascii_digit())
        && digits.matches('.').count() == 1;
    if decimal {
        return self::decimal(text);
    }
    // Digits that are no number of 64 bits, and forms such as `1e3`, are more than is known here.
    if digits.bytes().next().is_some_and(|b| b.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let plain = digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_alphabetic() && b != b'e' && b != b'E');
        if !plain || digits.bytes().all(|b| b.is_ascii_digit()) {
            return Value::Unknown(GapKind::Form);
        }
    }
    Value::Bool(false)
}

fn real(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

/// A comparison of each with the next.
pub(super) fn compared<'t>(name: &str, values: &[Value<'t>]) -> Option<Value<'t>> {
    let holds = |pair: &[Value<'t>]| {
        let order = match (&pair[0], &pair[1]) {
            (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            (a, b) => real(a)?.partial_cmp(&real(b)?),
        }?;
        Some(match name {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            "=" => order.is_eq(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        })
    };
    if values.is_empty() || values.iter().any(|value| real(value).is_none()) {
        return None;
    }
    let mut all = true;
    for pair in values.windows(2) {
        all &= holds(pair)?;
    }
    Some(Value::Bool(all))
}

/// Arithmetic on any count of numbers. `None`: it is not known what comes of it.
pub(super) fn computed<'t>(name: &str, values: &[Value<'t>]) -> Option<Value<'t>> {
    let whole: Option<Vec<i64>> =
        values.iter().map(|value| if let Value::Number(number) = value { Some(*number) } else { None }).collect();
    if let Some(whole) = whole {
        let number = match (name, whole.as_slice()) {
            ("+", all) => all.iter().try_fold(0_i64, |sum, n| sum.checked_add(*n)),
            ("*", all) => all.iter().try_fold(1_i64, |product, n| product.checked_mul(*n)),
            ("-", [one]) => one.checked_neg(),
            ("-", [first, rest @ ..]) => rest.iter().try_fold(*first, |left, n| left.checked_sub(*n)),
            ("max", [first, rest @ ..]) => Some(rest.iter().fold(*first, |a, b| a.max(*b))),
            ("min", [first, rest @ ..]) => Some(rest.iter().fold(*first, |a, b| a.min(*b))),
            ("abs", [one]) => one.checked_abs(),
            ("quotient", [a, b]) => a.checked_div(*b),
            ("remainder", [a, b]) => a.checked_rem(*b),
            ("modulo", [a, b]) => {
                a.checked_rem(*b).map(|rest| if rest != 0 && (rest < 0) != (*b < 0) { rest + b } else { rest })
            }
            ("/", [a, b]) if *b != 0 && a % b == 0 => Some(a / b),
            ("/", [a, b]) if *b != 0 => return Some(Value::Real(*a as f64 / *b as f64)),
            _ => None,
        };
        return number.map(Value::Number);
    }
    let reals: Vec<f64> = values.iter().map(real).collect::<Option<_>>()?;
    Some(Value::Real(match (name, reals.as_slice()) {
        ("+", all) => all.iter().sum(),
        ("*", all) => all.iter().product(),
        ("-", [one]) => -one,
        ("-", [first, rest @ ..]) => rest.iter().fold(*first, |left, n| left - n),
        ("/", [a, b]) if *b != 0.0 => a / b,
        ("max", [first, rest @ ..]) => rest.iter().fold(*first, |a, b| a.max(*b)),
        ("min", [first, rest @ ..]) => rest.iter().fold(*first, |a, b| a.min(*b)),
        ("abs", [one]) => one.abs(),
        _ => return None,
    }))
}

/// Whether something holds of one number.
pub(super) fn is<'t>(name: &str, value: &Value<'t>) -> Option<Value<'t>> {
    let number = real(value)?;
    Some(Value::Bool(match (name, value) {
        ("zero?", _) => number == 0.0,
        ("positive?", _) => number > 0.0,
        ("negative?", _) => number < 0.0,
        ("even?", Value::Number(n)) => n % 2 == 0,
        ("odd?", Value::Number(n)) => n % 2 != 0,
        _ => return None,
    }))
}
