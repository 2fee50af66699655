use super::*;
use proptest::prelude::*;

fn n(text: &str) -> Numeric {
    Numeric::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// `f` of numbers is what PostgreSQL 15 shows, or fails in this way.
fn check(f: impl Fn(&[Numeric]) -> Result<Numeric>, cases: &[(&[&str], &str)]) {
    for (operands, expected) in cases {
        let numbers: Vec<Numeric> = operands.iter().map(|text| n(text)).collect();
        let actual = f(&numbers).map_or_else(|e| e.to_string(), |value| value.to_string());
        assert_eq!(actual, *expected, "{operands:?}");
    }
}

#[test]
fn numbers_are_shown_as_they_are_written() {
    for (text, shown) in [
        ("0", "0"),
        (" +1.50 ", "1.50"),
        ("-0.00", "0.00"),
        ("1e3", "1000"),
        ("1.5e-3", "0.0015"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0e200000", "0"),
        ("nan", "NaN"),
        ("-inf", "-Infinity"),
        ("Infinity", "Infinity"),
        (
            "12345678901234567890123456789012345678901234567890.10",
            "12345678901234567890123456789012345678901234567890.10",
        ),
    ] {
        assert_eq!(n(text).to_string(), shown);
    }
    for text in ["", " ", ".", "-", "1e", "1.2.3", "+nan", "1 2", "--1", "e5", "1e+-2"] {
        assert_eq!(Numeric::parse(text.as_bytes()).unwrap_err(), NumericError::Syntax, "{text}");
    }
    for text in ["1e131072", "1e-16384", "0e-20000", "1e1000000", "1e9999999999999999999"] {
        assert_eq!(Numeric::parse(text.as_bytes()).unwrap_err(), NumericError::Overflow, "{text}");
    }
    assert_eq!(n("1e131071").to_string().len(), 131_072);
}

#[test]
fn bytes_are_in_the_order_of_the_numbers() {
    let ascending = [
        "-inf",
        "-1e131071",
        "-10001",
        "-10000.0001",
        "-10000",
        "-9999.99",
        "-1.01",
        "-1.00",
        "-0.5",
        "-0.00010001",
        "-0.0001",
        "-1e-16383",
        "0.00",
        "1e-16383",
        "0.00009999",
        "0.0001",
        "0.00010001",
        "0.01",
        "0.1",
        "0.99",
        "1.0",
        "1.0001",
        "1.01",
        "1.5",
        "9.99",
        "10",
        "99",
        "100",
        "101",
        "9999",
        "10000",
        "10001",
        "100000000",
        "1e131071",
        "inf",
        "nan",
    ]
    .map(n);
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
            assert_eq!(a.to_bytes().cmp(&b.to_bytes()), i.cmp(&j), "{a} {b}");
        }
    }
    assert_eq!(n("12345.67").to_bytes(), [3, 0x80, 1, 1, 2, 24, 46, 68, 0, 0, 2]);
    assert_eq!(n("-12345.67").to_bytes(), [1, 0x7f, 0xfe, 254, 253, 231, 209, 187, 255, 0, 2]);
    assert_eq!(n("1.50").to_bytes(), [3, 0x80, 0, 1, 2, 51, 0, 0, 2]);
    for broken in [&[][..], &[3], &[3, 0, 0], &[9, 0, 0], &[0, 1, 0, 0], &[3, 0x80, 0, 102, 0, 0, 0], &[2, 0xff, 0xff]]
    {
        assert!(Numeric::from_bytes(broken).is_none(), "{broken:?}");
    }
}

#[test]
fn sums_and_products_are_exact() {
    let cases: &[(&[&str], &str)] = &[
        (&["1.0", "2.00"], "3.00"),
        (&["inf", "-inf"], "NaN"),
        (&["inf", "1"], "Infinity"),
        (&["99999999999999999999999999999999999999", "1"], "100000000000000000000000000000000000000"),
    ];
    check(|x| x[0].add(&x[1]), cases);
    check(|x| x[0].sub(&x[1]), &[(&["1.0", "2.00"], "-1.00"), (&["inf", "inf"], "NaN")]);
    let cases: &[(&[&str], &str)] = &[
        (&["1.5", "2.00"], "3.000"),
        (&["inf", "-2"], "-Infinity"),
        (&["inf", "0.0"], "NaN"),
        (&["-0.5", "0.1"], "-0.05"),
    ];
    check(|x| x[0].mul(&x[1]), cases);
    check(|x| x[0].mul(&x[1]), &[(&["1e131071", "10"], "value overflows numeric format")]);
}

#[test]
fn quotients_have_16_significant_digits() {
    let cases: &[(&[&str], &str)] = &[
        (&["1", "3"], "0.33333333333333333333"),
        (&["10", "3"], "3.3333333333333333"),
        (&["1e10", "3"], "3333333333.33333333"),
        (&["1e-10", "3"], "0.0000000000333333333333333333"),
        (&["0.000", "3.0"], "0.00000000000000000000"),
        (&["-2", "3"], "-0.66666666666666666667"),
        (&["5", "inf"], "0"),
        (&["inf", "-2"], "-Infinity"),
        (&["inf", "inf"], "NaN"),
        (&["nan", "0"], "NaN"),
        (&["inf", "0"], "division by zero"),
        (&["1", "0.0"], "division by zero"),
    ];
    check(|x| x[0].div(&x[1]), cases);
    check(|x| x[0].div_whole(&x[1]), &[(&["7.5", "-2"], "-3"), (&["inf", "3"], "Infinity"), (&["5", "inf"], "0")]);
    let cases: &[(&[&str], &str)] = &[
        (&["-7.5", "2"], "-1.5"),
        (&["7.5", "-2"], "1.5"),
        (&["5.5", "0.00001"], "0.00000"),
        (&["5", "inf"], "5"),
        (&["inf", "5"], "NaN"),
        (&["inf", "0"], "division by zero"),
    ];
    check(|x| x[0].rem(&x[1]), cases);
    check(|x| Ok(x[0].gcd(&x[1])), &[(&["12.5", "5"], "2.5"), (&["1.0", "0"], "1.0"), (&["inf", "1"], "NaN")]);
    check(|x| x[0].lcm(&x[1]), &[(&["12.5", "5"], "25.0"), (&["0.0", "5.00"], "0.00")]);
}

#[test]
fn rounding_is_away_from_zero() {
    let at = |places: i32| move |x: &[Numeric]| x[0].round(places);
    check(at(0), &[(&["-2.5"], "-3"), (&["2.4999"], "2"), (&["nan"], "NaN")]);
    check(at(4), &[(&["1.5"], "1.5000")]);
    check(at(-1), &[(&["15"], "20"), (&["-14.9"], "-10")]);
    check(at(-3), &[(&["123.456"], "0")]);
    check(|x| x[0].trunc(1), &[(&["-2.59"], "-2.5")]);
    check(|x| x[0].ceil(), &[(&["-1.5"], "-1"), (&["1.01"], "2"), (&["0.000"], "0")]);
    check(|x| x[0].floor(), &[(&["-1.5"], "-2"), (&["1.99"], "1"), (&["-inf"], "-Infinity")]);
    check(|x| Ok(x[0].trimmed()), &[(&["1.500"], "1.5"), (&["1500.00"], "1500"), (&["0.000"], "0")]);
    assert_eq!(n("2.5").to_integer(), Some(3));
    assert_eq!(n("1e40").to_integer(), None);
    assert_eq!(Numeric::from_f64(0.1, 15).to_string(), "0.1");
    assert_eq!(Numeric::from_f64(1e20, 15).to_string(), "100000000000000000000");
    assert_eq!(n("0.1").to_f64(), 0.1);
}

#[test]
fn roots_have_16_significant_digits() {
    let cases: &[(&[&str], &str)] = &[
        (&["2"], "1.414213562373095"),
        (&["10"], "3.162277660168379"),
        (&["20000"], "141.4213562373095"),
        (&["0.0002"], "0.01414213562373095"),
        (&["0"], "0.000000000000000"),
        (&["123456789012345678901234567890"], "351364182882014.4"),
        (&["99999999"], "9999.9999499999999"),
        (&["-1"], "cannot take square root of a negative number"),
        (&["inf"], "Infinity"),
        (&["-inf"], "cannot take square root of a negative number"),
    ];
    check(|x| x[0].sqrt(), cases);
}

#[test]
fn powers_and_logarithms_are_those_of_postgresql() {
    let cases: &[(&[&str], &str)] = &[
        (&["1"], "2.7182818284590452"),
        (&["0"], "1.0000000000000000"),
        (&["100"], "26881171418161354484126255515800135873611119"),
        (&["-100"], "0.00000000000000000000000000000000000000000003720075976020836"),
        (&["6000"], "value overflows numeric format"),
        (&["-inf"], "0"),
    ];
    check(|x| x[0].exp(), cases);
    let cases: &[(&[&str], &str)] = &[
        (&["2"], "0.6931471805599453"),
        (&["1e400"], "921.03403719761827"),
        (&["1.00001"], "0.000009999950000333331"),
        (&["0.5"], "-0.6931471805599453"),
        (&["1"], "0.0000000000000000"),
        (&["1.1"], "0.09531017980432486"),
        (&["1.11"], "0.1043600153242428"),
        (&["0.9"], "-0.10536051565782630"),
        (&["0.89"], "-0.1165338162559515"),
        (&["1234.5678901234567890123"], "7.1184763012977896131"),
        (&["1.000000000000000000000000000001"], "0.0000000000000000000000000000010000000000000000"),
        (&["0"], "cannot take logarithm of zero"),
        (&["-inf"], "cannot take logarithm of a negative number"),
    ];
    check(|x| x[0].ln(), cases);
    let cases: &[(&[&str], &str)] = &[
        (&["10", "100"], "2.0000000000000000"),
        (&["2", "64"], "6.0000000000000000"),
        (&["10", "1e400"], "400.00000000000000"),
        (&["10", "0.1"], "-1.0000000000000000"),
        (&["1.05", "2"], "14.20669908289047"),
        (&["3", "1.0000001"], "0.00000009102391811148791"),
        (&["1", "5"], "division by zero"),
        (&["inf", "2"], "0"),
        (&["inf", "inf"], "NaN"),
    ];
    check(|x| x[1].log(&x[0]), cases);
    let cases: &[(&[&str], &str)] = &[
        (&["2.0", "3"], "8.0000000000000000"),
        (&["10.0", "10"], "10000000000.0000000000000000"),
        (&["2", "0.5"], "1.4142135623730950"),
        (&["0.0", "0"], "1.0000000000000000"),
        (&["0.0", "1.5"], "0.0000000000000000"),
        (&["10.0", "-3"], "0.0010000000000000"),
        (&["0.5", "200"], "0.0000000000000000"),
        (&["2", "-1.5"], "0.3535533905932738"),
        (&["1.1", "1000"], "246993291800582633412408838508522147770973.3385238396234869"),
        (&["1.0001", "1000000"], "26747109931421401729483544817907127664007597.5250449738417419"),
        (&["-2.0", "-3"], "-0.1250000000000000"),
        (&["-inf", "3"], "-Infinity"),
        (&["-inf", "-3"], "0"),
        (&["inf", "0"], "1"),
        (&["0.5", "inf"], "0"),
        (&["-2", "-inf"], "0"),
        (&["-0.5", "inf"], "0"),
        (&["-1", "inf"], "1"),
        (&["nan", "0"], "1"),
        (&["1", "nan"], "1"),
        (&["0", "-inf"], "zero raised to a negative power is undefined"),
        (&["-2", "0.5"], "a negative number raised to a non-integer power yields a complex result"),
        (&["-inf", "0.5"], "a negative number raised to a non-integer power yields a complex result"),
        (&["10", "1000000"], "value overflows numeric format"),
    ];
    check(|x| x[0].power(&x[1]), cases);
    assert_eq!(Numeric::factorial(20).unwrap().to_string(), "2432902008176640000");
    assert!(Numeric::factorial(40_000).is_err());
}

fn any_number() -> impl Strategy<Value = Numeric> {
    (any::<i128>(), 0..120u32, 0..50u32).prop_map(|(unscaled, scale, zeros)| {
        Numeric::new(BigInt::from(unscaled >> (zeros * 2)) * power_of_ten(zeros), scale).unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_kept_is_what_was_written(a in any_number(), b in any_number()) {
        let back = Numeric::from_bytes(&a.to_bytes()).unwrap();
        prop_assert_eq!(back.to_string(), a.to_string());
        prop_assert_eq!(n(&a.to_string()).to_string(), a.to_string());
        prop_assert_eq!(key_of(&a.to_bytes()).cmp(key_of(&b.to_bytes())), a.cmp(&b));
        let more = a.round(a.finite().unwrap().scale() as i32 + 3).unwrap();
        let (bytes, longer) = (a.to_bytes(), more.to_bytes());
        prop_assert_eq!(key_of(&longer), key_of(&bytes));
        prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b).then(a.finite().unwrap().scale().cmp(&b.finite().unwrap().scale())));
    }

    #[test]
    fn a_quotient_times_its_divisor_is_near(a in any_number(), b in any_number()) {
        prop_assume!(b.signum() != 0);
        let whole = a.div_whole(&b).unwrap();
        prop_assert_eq!(whole.mul(&b).unwrap().add(&a.rem(&b).unwrap()).unwrap(), a);
    }
}
