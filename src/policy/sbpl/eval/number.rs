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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_none_or_more_than_is_known() {
        for (text, radix, number) in [("12", 10, 12), ("-12", 10, -12), ("+3", 10, 3), ("ff", 16, 255), ("101", 2, 5)] {
            assert!(matches!(read(text, radix), Value::Number(found) if found == number), "{text}");
        }
        for (text, number) in [("1.5", 1.5), ("-.25", -0.25), ("2.", 2.0)] {
            assert!(matches!(read(text, 10), Value::Real(found) if found == number), "{text}");
        }
        for text in ["", ".", "-", "be", "x1", "1.2.3", "1.5x", "12a"] {
            assert!(matches!(read(text, 10), Value::Bool(false)), "{text}");
        }
        assert!(matches!(read("1.5", 16), Value::Bool(false)));
        // Another reader of Scheme may know them.
        for text in ["1e3", "1E3", "12345678901234567890", "-12345678901234567890"] {
            assert!(matches!(read(text, 10), Value::Unknown(GapKind::Form)), "{text}");
        }
    }

    #[test]
    fn comparisons_hold_of_each_with_the_next() {
        let (one, two, half) = (Value::Number(1), Value::Number(2), Value::Real(1.5));
        let holds = |name: &str, values: &[&Value<'static>]| {
            let values: Vec<Value<'static>> = values.iter().map(|value| (*value).clone()).collect();
            match compared(name, &values) {
                Some(Value::Bool(holds)) => Some(holds),
                _ => None,
            }
        };
        for (name, rising, same, falling) in [
            ("<", true, false, false),
            ("<=", true, true, false),
            ("=", false, true, false),
            (">", false, false, true),
            (">=", false, true, true),
        ] {
            assert_eq!(holds(name, &[&one, &half, &two]), Some(rising), "{name}");
            assert_eq!(holds(name, &[&two, &two]), Some(same), "{name}");
            assert_eq!(holds(name, &[&two, &half, &one]), Some(falling), "{name}");
        }
        assert_eq!(holds("<", &[&one, &two, &half]), Some(false));
        assert_eq!(holds("<", &[&one]), Some(true));
        assert_eq!(holds("<", &[]), None);
        assert_eq!(holds("<", &[&one, &Value::Bool(true)]), None);
    }

    #[test]
    fn arithmetic_that_could_overflow_or_divide_by_nothing_is_not_known() {
        let whole = |name: &str, values: &[i64]| {
            let values: Vec<Value<'static>> = values.iter().map(|n| Value::Number(*n)).collect();
            match computed(name, &values) {
                Some(Value::Number(number)) => Some(number),
                _ => None,
            }
        };
        for (name, values, number) in [
            ("+", &[1, 2, 3][..], 6),
            ("+", &[], 0),
            ("*", &[], 1),
            ("*", &[2, 3, 4], 24),
            ("-", &[5], -5),
            ("-", &[9, 2, 3], 4),
            ("max", &[1, 3, 2], 3),
            ("min", &[2, 1, 3], 1),
            ("abs", &[-4], 4),
            ("quotient", &[-7, 2], -3),
            ("remainder", &[-7, 2], -1),
            ("modulo", &[-7, 2], 1),
            ("modulo", &[7, -2], -1),
            ("modulo", &[6, -2], 0),
            ("modulo", &[7, 2], 1),
            ("/", &[6, 3], 2),
        ] {
            assert_eq!(whole(name, values), Some(number), "{name} {values:?}");
        }
        for (name, values) in [
            ("+", &[i64::MAX, 1][..]),
            ("*", &[i64::MAX, 2]),
            ("-", &[i64::MIN]),
            ("-", &[i64::MIN, 1]),
            ("abs", &[i64::MIN]),
            ("quotient", &[1, 0]),
            ("remainder", &[1, 0]),
            ("modulo", &[1, 0]),
            ("/", &[1, 0]),
            ("/", &[1, 2]),
            ("-", &[]),
        ] {
            assert_eq!(whole(name, values), None, "{name} {values:?}");
        }
        assert!(matches!(computed("/", &[Value::Number(1), Value::Number(2)]), Some(Value::Real(half)) if half == 0.5));
        let reals = [Value::Real(1.5), Value::Number(2)];
        for (name, number) in [("+", 3.5), ("*", 3.0), ("-", -0.5), ("/", 0.75), ("max", 2.0), ("min", 1.5)] {
            assert!(matches!(computed(name, &reals), Some(Value::Real(found)) if found == number), "{name}");
        }
        assert!(computed("/", &[Value::Real(1.5), Value::Number(0)]).is_none());
    }

    #[test]
    fn a_number_is_asked_for_its_sign_and_whether_it_is_even() {
        for (name, of) in [
            ("zero?", [false, true, false]),
            ("positive?", [false, false, true]),
            ("negative?", [true, false, false]),
            ("even?", [false, true, false]),
            ("odd?", [true, false, true]),
        ] {
            for (number, holds) in [-1, 0, 3].into_iter().zip(of) {
                assert!(
                    matches!(is(name, &Value::Number(number)), Some(Value::Bool(found)) if found == holds),
                    "{name}"
                );
            }
        }
        assert!(is("even?", &Value::Real(2.0)).is_none() && is("zero?", &Value::Bool(false)).is_none());
    }
}
