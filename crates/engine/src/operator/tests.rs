//! What PostgreSQL answers.

use crate::function::testing::{check, check_in};

#[test]
fn integers_overflow_and_divide_as_in_postgresql() {
    check(&[
        ("1 + 2, 7 / 2, -7 / 2, 7 % 3, -7 % 3", "3|3|-3|1|-1"),
        ("2147483647 + 1", "22003 integer out of range"),
        ("2147483647::bigint + 1", "2147483648"),
        ("(-32768)::smallint / (-1)::smallint", "22003 smallint out of range"),
        ("9223372036854775807 + 1", "22003 bigint out of range"),
        ("9223372036854775807 * 2", "22003 bigint out of range"),
        ("1 / 0", "22012 division by zero"),
        ("1 % 0", "22012 division by zero"),
        ("x / 0 FROM (VALUES (1), (2)) v(x)", "22012 division by zero"),
        ("x + y FROM (VALUES (1, 2), (NULL, 3)) v(x, y)", "3;"),
        ("1.0::float / 0", "22012 division by zero"),
        ("1e308 * 10::float / 1", "22003 value out of range: overflow"),
        ("-(-2147483648), -(-2147483648)::bigint", "2147483648|2147483648"),
        ("-(x::int) FROM (VALUES (-2147483648)) v(x)", "22003 integer out of range"),
        ("'3' + 4", "7"),
        ("4 * '3'", "12"),
        ("1 + 'x'", "22P02 invalid input syntax for type integer: \"x\""),
        ("2 ^ 10, 2.0 ^ 3", "1024|8.0000000000000000"),
        ("'1' + '2'", "42725 operator is not unique: unknown + unknown"),
        ("true + 1", "42883 operator does not exist: boolean + integer"),
        ("1.5::float % 1", "42883 operator does not exist: double precision % integer"),
    ]);
}

#[test]
fn numerics_keep_their_digits() {
    check(&[
        ("1.5 + 2.25, 1.5 - 2.25, 1.5 * 2.25, 7.5 % 2", "3.75|-0.75|3.375|1.5"),
        ("0.1 + 0.2 = 0.3", "t"),
        ("1 / 3.0", "0.33333333333333333333"),
        ("2.0 / 0", "22012 division by zero"),
        ("1.5 + 1::float", "2.5"),
        ("12345678901234567890123456789012345678 + 1.0", "12345678901234567890123456789012345679.0"),
        ("99999999999999999999 * 99999999999999999", "9999999999999999899900000000000000001"),
        ("1.10 = 1.1, 1.1 > 1, 2 > 1.5, 1.5 = 1.5::float", "t|t|t|t"),
    ]);
}

#[test]
fn times_and_intervals_add_up() {
    check(&[
        ("timestamptz '2024-01-31 00:00+00' + interval '1 month'", "2024-02-29 00:00:00+00"),
        ("timestamptz '2024-01-31 00:00+00' + '1 day'", "2024-02-01 00:00:00+00"),
        ("timestamp '2024-01-31' - interval '1 hour 30 min'", "2024-01-30 22:30:00"),
        ("interval '1 day' + timestamp '2024-01-31'", "2024-02-01 00:00:00"),
        ("date '2024-01-31' + 1, 1 + date '2024-01-31', date '2024-03-01' - 1", "2024-02-01|2024-02-01|2024-02-29"),
        ("date '2024-01-31' + interval '1 day'", "2024-02-01 00:00:00"),
        ("date '2024-03-01' - date '2024-02-01'", "29"),
        ("timestamp '2024-03-01 12:00' - timestamp '2024-02-01'", "29 days 12:00:00"),
        ("timestamp '2024-03-01 12:00' - '2024-02-01'", "29 days 12:00:00"),
        ("timestamptz 'infinity' + interval '1 day'", "infinity"),
        ("timestamp 'infinity' - timestamp '2024-01-01'", "22008 cannot subtract infinite timestamps"),
        (
            "interval '1 day' + interval '2 hours', interval '1 day' - interval '2 hours'",
            "1 day 02:00:00|1 day -02:00:00",
        ),
        ("interval '1 month' * 2, 1.5 * interval '1 day', interval '1 day' / 2", "2 mons|1 day 12:00:00|12:00:00"),
        ("interval '1 day' / 0", "22012 division by zero"),
        ("-interval '1 day 2 hours'", "-1 days -02:00:00"),
        (
            "interval '1-2', interval '3' hour, interval '1 02:03' day to minute",
            "1 year 2 mons|03:00:00|1 day 02:03:00",
        ),
        ("time '23:00' + interval '2 hours', time '10:00' - time '08:30'", "01:00:00|01:30:00"),
        ("timestamp '2024-01-01' + 'x'", "22007 invalid input syntax for type interval: \"x\""),
        ("timestamp '2024-01-01' * 2", "42883 operator does not exist: timestamp without time zone * integer"),
        ("date '2024-01-01' + time '10:00'", "2024-01-01 10:00:00"),
    ]);
    check_in(
        "Europe/Berlin",
        &[
            ("timestamptz '2024-03-30 12:00' + interval '1 day'", "2024-03-31 12:00:00+02"),
            ("timestamptz '2024-03-30 12:00' + interval '24 hours'", "2024-03-31 13:00:00+02"),
            ("timestamptz '2024-03-30 12:00' + '1 day'", "2024-03-31 12:00:00+02"),
            ("date '2024-07-01' = timestamptz '2024-06-30 22:00+00'", "t"),
        ],
    );
}

#[test]
fn comparisons_convert_as_in_postgresql() {
    check(&[
        ("timestamptz '2024-01-01' < '2024-01-02', date '2024-01-01' < timestamp '2024-01-01 00:01'", "t|t"),
        (
            "interval '1 month' = interval '30 days', interval '1 day' > interval '23 hours', interval '1 day' = '24:00'",
            "t|t|t",
        ),
        (
            "timestamptz '2024-01-01' > 'not a time'",
            "22007 invalid input syntax for type timestamp with time zone: \"not a time\"",
        ),
        ("x = 'a' FROM (VALUES ('a')) v(x)", "t"),
        ("x BETWEEN '2024-01-01' AND '2024-02-01' FROM (SELECT timestamptz '2024-01-05' AS x) v", "t"),
        ("x IN ('2024-01-05', 'infinity') FROM (SELECT timestamptz '2024-01-05' AS x) v", "t"),
        ("x NOT IN (1, 2.5) FROM (VALUES (1), (3)) v(x)", "f;t"),
        ("1 = 'x'", "22P02 invalid input syntax for type integer: \"x\""),
        ("'a'::text = 1", "42883 operator does not exist: text = integer"),
        ("x = 0, x >= 0, x < 0, x <> 0, 0 = x FROM (SELECT '-0'::float AS x) v", "t|t|f|f|t"),
        ("'NaN'::float = 'NaN'::float, 'NaN'::float > 'Infinity'::float", "t|t"),
        ("CASE x WHEN '2024-01-05' THEN 1 ELSE 2 END FROM (SELECT date '2024-01-05' AS x) v", "1"),
        ("x IS DISTINCT FROM '5' FROM (VALUES (5)) v(x)", "f"),
        ("true AND 'f'", "f"),
        ("NULL = 1, NULL + 1", "|"),
    ]);
}

#[test]
fn casts_are_postgresqls() {
    check(&[
        ("2.5::float::int, 3.5::float::int, (-2.5)::float::int, 2.5::int, -2.5::int", "2|4|-2|3|-3"),
        ("1e10::float::int", "22003 integer out of range"),
        ("'NaN'::float::int", "22003 integer out of range"),
        ("100000::smallint", "22003 smallint out of range"),
        ("'99999'::smallint", "22003 value \"99999\" is out of range for type smallint"),
        ("1.005::numeric(5,2), 1000::numeric(5,2)", "22003 numeric field overflow"),
        ("1.005::numeric(5,2), 0.1::float::numeric(5,2)", "1.01|0.10"),
        ("1.5::numeric, 3::numeric, '2.50'::numeric, 0.1::float4::float8", "1.5|3|2.50|0.10000000149011612"),
        ("true::int, 0::boolean, true::text, 't'::boolean", "1|f|true|t"),
        ("1::interval", "42846 cannot cast type integer to interval"),
        ("1.5::float::text, 1e20::float::text, 7::text || 'x', 1 || 'x', true || 'x'", "1.5|1e+20|7x|1x|truex"),
        (
            "timestamptz '2024-01-01 10:00+02'::text, date '2024-01-01'::timestamp",
            "2024-01-01 08:00:00+00|2024-01-01 00:00:00",
        ),
        ("timestamp '2024-01-01 10:00'::date, timestamp '2024-01-01 10:00'::time", "2024-01-01|10:00:00"),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid::text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("'{1,2,NULL}'::int[], ARRAY[1,2]::float[]", "{1,2,NULL}|{1,2}"),
        ("x::int FROM (VALUES ('1'), ('x')) v(x)", "22P02 invalid input syntax for type integer: \"x\""),
        ("x::text::interval FROM (VALUES ('1 day')) v(x)", "1 day"),
        ("NULL::int, NULL::timestamptz", "|"),
        ("1::bigint + 2147483647", "2147483648"),
    ]);
    check_in(
        "America/New_York",
        &[
            ("'2024-01-01 00:00'::timestamptz", "2024-01-01 00:00:00-05"),
            (
                "timestamptz '2024-01-01 02:00+00'::date, timestamptz '2024-01-01 02:00+00'::timestamp",
                "2023-12-31|2023-12-31 21:00:00",
            ),
            (
                "timestamp '2024-01-01'::timestamptz, date '2024-07-01'::timestamptz",
                "2024-01-01 00:00:00-05|2024-07-01 00:00:00-04",
            ),
            ("x::timestamptz FROM (VALUES ('2024-01-01')) v(x)", "2024-01-01 00:00:00-05"),
        ],
    );
}

#[test]
fn queries_mean_what_they_mean_in_postgresql() {
    check(&[
        ("i, 10 / i FROM generate_series(1, 3) i WHERE i > 0 ORDER BY 10 / i", "3|3;2|5;1|10"),
        ("CASE WHEN i = 0 THEN NULL ELSE 10 / i END FROM generate_series(0, 2) i", ";10;5"),
        ("i FROM generate_series(1, 5) i WHERE i BETWEEN 2 AND 3 OR i = ANY(ARRAY[5]) ORDER BY i", "2;3;5"),
        ("x.b + 1, pg_typeof(x.b + 1) FROM (SELECT 1 AS b) x", "2|integer"),
        (
            "sum(n), max(n) FROM (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t) q",
            "15|5",
        ),
        ("i % 2 = 0 AS even, count(*) FROM generate_series(1, 3) i GROUP BY even ORDER BY even", "f|2;t|1"),
        ("(i || ' days')::interval FROM generate_series(1, 2) i", "1 day;2 days"),
        (
            "date_trunc('hour', t) + interval '5 min' * floor(date_part('minute', t) / 5.0) FROM (VALUES (timestamp '2024-01-01 10:17')) v(t)",
            "2024-01-01 10:15:00",
        ),
        (
            "v FROM (VALUES (interval '1 month'), (interval '31 days'), (interval '29 days')) x(v) ORDER BY v",
            "29 days;1 mon;31 days",
        ),
        ("count(*) OVER (), count(*) FILTER (WHERE i > 1) OVER () FROM generate_series(1, 2) i", "2|1;2|1"),
        ("1.0 / 3.0 * 3.0", "0.999999999999999999990"),
        ("date '2024-02-28' + i FROM generate_series(1, 2) i", "2024-02-29;2024-03-01"),
    ]);
}
