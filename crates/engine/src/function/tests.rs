//! What PostgreSQL 15 and TimescaleDB 2.28 answer.

use super::testing::{ask, ask_in, check, check_in};

#[test]
fn buckets_are_timescaledbs() {
    check(&[
        (
            "time_bucket('1 month', d), time_bucket('3 months', d), time_bucket('1 year', d) FROM (VALUES (date '1999-12-31'), (date '2000-02-29')) v(d)",
            "1999-12-01|1999-10-01|1999-01-01;2000-02-01|2000-01-01|2000-01-01",
        ),
        ("time_bucket('1 month', timestamp '2024-02-29 23:59:59.999999')", "2024-02-01 00:00:00"),
        ("time_bucket('1 month', timestamptz '2024-02-29 23:59:59+00')", "2024-02-01 00:00:00+00"),
        (
            "time_bucket('2 months', date '2024-04-15'), time_bucket('5 months', date '2024-04-15'), time_bucket('18 months', date '2024-04-15')",
            "2024-03-01|2024-03-01|2024-01-01",
        ),
        (
            "time_bucket('10 years', date '2024-04-15'), time_bucket('100 years', date '1999-04-15')",
            "2020-01-01|1900-01-01",
        ),
        (
            "time_bucket('1 month', date '1969-07-20'), time_bucket('7 months', date '1969-07-20')",
            "1969-07-01|1969-02-01",
        ),
        ("time_bucket('100 microseconds', timestamptz '2024-01-01 00:00:00.123456+00')", "2024-01-01 00:00:00.1234+00"),
        ("time_bucket('1 millisecond', timestamptz '2024-01-01 00:00:00.123999+00')", "2024-01-01 00:00:00.123+00"),
        ("time_bucket('250 ms', timestamp '1999-12-31 23:59:59.999999')", "1999-12-31 23:59:59.75"),
        ("time_bucket('1.5 seconds', timestamp '2024-01-01 00:00:05')", "2024-01-01 00:00:04.5"),
        (
            "time_bucket('15 minutes', timestamptz '2024-01-01 00:07:00+00', 'Asia/Kathmandu'), time_bucket('1 hour', timestamptz '2024-01-01 00:07:00+00', 'Asia/Kathmandu')",
            "2024-01-01 00:00:00+00|2023-12-31 23:15:00+00",
        ),
        (
            "time_bucket('1 week', timestamptz '2024-03-31 22:30:00+00', 'Europe/Berlin'), time_bucket('1 month', timestamptz '2024-03-31 22:30:00+00', 'Europe/Berlin')",
            "2024-03-31 22:00:00+00|2024-03-31 22:00:00+00",
        ),
        (
            "time_bucket('1 day', timestamptz '2024-03-10 08:00:00+00', 'America/New_York'), time_bucket('1 day', timestamptz '2024-03-11 03:59:59+00', 'America/New_York')",
            "2024-03-10 05:00:00+00|2024-03-10 05:00:00+00",
        ),
        (
            "time_bucket('1 week', timestamp '2024-02-29 13:37:00'), time_bucket('1 week', date '2024-02-29'), time_bucket('7 days', timestamptz '2024-02-29 13:37:00+00')",
            "2024-02-26 00:00:00|2024-02-26|2024-02-26 00:00:00+00",
        ),
        (
            "time_bucket('2 weeks', timestamptz '2024-02-29 13:37:00+00'), time_bucket('3 weeks', date '2024-02-29')",
            "2024-02-26 00:00:00+00|2024-02-26",
        ),
        ("time_bucket('0 hour', now())", "22023 period must be greater than 0"),
        ("time_bucket('1 hour', date '2024-01-01')", "0A000 interval must not have sub-day precision"),
        (
            "time_bucket(10, 25), time_bucket(10, -25), time_bucket(10, 25, 3), time_bucket(10::bigint, 25), time_bucket(3::smallint, 7::smallint)",
            "20|-30|23|20|6",
        ),
        (
            "time_bucket('1 day', timestamptz '2024-01-01 05:00+00', \"offset\" => '6 hours'::interval)",
            "2023-12-31 06:00:00+00",
        ),
        ("time_bucket('1 day', timestamptz '2024-01-01 05:00+00', interval '6 hours')", "2023-12-31 06:00:00+00"),
        (
            "time_bucket('1 week', timestamptz '2024-01-03 05:00+00', origin => '2000-01-02 00:00+00')",
            "2023-12-31 00:00:00+00",
        ),
        (
            "time_bucket('1 week', timestamptz '2024-01-03 05:00+00', timestamptz '2000-01-02 00:00+00')",
            "2023-12-31 00:00:00+00",
        ),
        (
            "time_bucket('1 day', timestamptz '2024-01-01 05:00+00', timezone => 'Europe/Berlin')",
            "2023-12-31 23:00:00+00",
        ),
        ("time_bucket(bucket_width => '1 day'::interval, ts => timestamp '2024-01-01 05:00')", "2024-01-01 00:00:00"),
        ("time_bucket('1 day', timestamptz 'infinity'), time_bucket('1 day', NULL::timestamptz)", "infinity|"),
        (
            "time_bucket(w, timestamptz '2024-01-01 05:17+00') FROM (VALUES (interval '1 hour'), (interval '1 day'), (NULL)) v(w)",
            "2024-01-01 05:00:00+00;2024-01-01 00:00:00+00;",
        ),
        ("time_bucket('1 day', 'x'::text)", "42883 function time_bucket(unknown, text) does not exist"),
        (
            "time_bucket('1 hour', timestamptz '2024-01-01', 'Mars/Phobos')",
            "22023 time zone \"Mars/Phobos\" not recognized",
        ),
    ]);
    check_in(
        "America/New_York",
        &[
            ("time_bucket('1 month', timestamptz '2024-03-01 02:00:00+00')", "2024-02-29 19:00:00-05"),
            ("time_bucket('1 day', timestamptz '2024-03-01 02:00:00+00')", "2024-02-29 19:00:00-05"),
            (
                "time_bucket('1 month', timestamptz '2024-03-01 02:00:00+00', 'America/New_York')",
                "2024-02-01 00:00:00-05",
            ),
            (
                "time_bucket('1 day', timestamptz '2024-03-01 02:00:00+00', 'America/New_York')",
                "2024-02-29 00:00:00-05",
            ),
        ],
    );
}

#[test]
fn the_clock_is_the_transactions() {
    assert_eq!(
        ask("SELECT now(), transaction_timestamp() = now(), statement_timestamp() - now()"),
        "2024-02-29 13:37:00+00|t|00:00:01"
    );
    assert_eq!(
        ask("SELECT CURRENT_TIMESTAMP, CURRENT_DATE, clock_timestamp() > now()"),
        "2024-02-29 13:37:00+00|2024-02-29|t"
    );
    assert_eq!(
        ask_in("Asia/Tokyo", "SELECT now(), current_date, localtimestamp"),
        "2024-02-29 22:37:00+09|2024-02-29|2024-02-29 22:37:00"
    );
    assert_eq!(
        ask("SELECT 'now'::timestamptz, 'today'::date, 'tomorrow'::timestamp"),
        "2024-02-29 13:37:00+00|2024-02-29|2024-03-01 00:00:00"
    );
}

#[test]
fn parts_of_times() {
    check(&[
        (
            "extract(year FROM timestamp '2024-02-29 13:37:01.5'), extract(second FROM timestamp '2024-02-29 13:37:01.5')",
            "2024|1.500000",
        ),
        (
            "extract(epoch FROM timestamptz '2024-02-29 13:37:00+00'), extract(milliseconds FROM time '10:00:01.25')",
            "1709213820.000000|1250.000",
        ),
        (
            "date_part('epoch', timestamptz '2024-02-29 13:37:00.25+00'), date_part('dow', date '2024-03-03')",
            "1709213820.25|0",
        ),
        (
            "date_part('isodow', date '2024-03-03'), date_part('doy', date '2024-03-01'), date_part('week', date '2024-12-30'), date_part('isoyear', date '2024-12-30')",
            "7|61|1|2025",
        ),
        (
            "date_part('quarter', date '2024-12-30'), date_part('century', date '2001-01-01'), date_part('decade', date '1999-01-01'), date_part('millennium', date '2001-01-01')",
            "4|21|199|3",
        ),
        (
            "date_part('hour', interval '26 hours'), date_part('day', interval '40 days'), date_part('epoch', interval '1 year 1 month')",
            "26|40|34149600",
        ),
        (
            "date_part('epoch', interval '1 day 00:00:01.5'), date_part('year', interval '30 months'), date_part('month', interval '30 months')",
            "86401.5|2|6",
        ),
        ("date_part('foo', now())", "22023 unit \"foo\" not recognized for type timestamp with time zone"),
        ("date_part('hour', date '2024-01-01')", "0"),
        ("extract(hour FROM date '2024-01-01')", "0A000 unit \"hour\" not supported for type date"),
        ("date_part('year', timestamp 'infinity'), date_part('hour', timestamp 'infinity')", "Infinity|"),
        ("extract(julian FROM date '2024-02-29'), extract(epoch FROM date '2024-02-29')", "2460370|1709164800"),
    ]);
    check_in(
        "Europe/Berlin",
        &[(
            "date_part('hour', timestamptz '2024-07-01 22:30+00'), date_part('timezone', timestamptz '2024-07-01 22:30+00')",
            "0|7200",
        )],
    );
}

#[test]
fn times_are_cut() {
    check(&[
        (
            "date_trunc('hour', timestamp '2024-02-29 13:37:01'), date_trunc('week', date '2024-02-29'), date_trunc('quarter', timestamp '2024-02-29')",
            "2024-02-29 13:00:00|2024-02-26 00:00:00+00|2024-01-01 00:00:00",
        ),
        ("date_trunc('month', '2024-02-29 13:37:01')", "2024-02-01 00:00:00+00"),
        (
            "date_trunc('hour', interval '1 day 05:06:07'), date_trunc('year', interval '14 months')",
            "1 day 05:00:00|1 year",
        ),
        ("date_trunc('day', timestamptz '2024-02-29 23:30+00', 'Europe/Berlin')", "2024-02-29 23:00:00+00"),
        (
            "date_trunc('foo', timestamp '2024-02-29')",
            "22023 unit \"foo\" not recognized for type timestamp without time zone",
        ),
        (
            "date_trunc(u, timestamp '2024-02-29 13:37:01') FROM (VALUES ('hour'), ('year')) v(u)",
            "2024-02-29 13:00:00;2024-01-01 00:00:00",
        ),
        ("date_trunc('day', timestamptz 'infinity')", "infinity"),
        (
            "date_bin('15 minutes', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01 00:02:30')",
            "2020-02-11 15:32:30",
        ),
    ]);
    check_in("America/New_York", &[("date_trunc('day', timestamptz '2024-03-01 02:00+00')", "2024-02-29 00:00:00-05")]);
}

#[test]
fn times_are_made_and_compared() {
    check(&[
        ("age(timestamp '2024-02-29', timestamp '2023-12-31'), age(date '2024-02-01')", "1 mon 29 days|28 days"),
        (
            "make_date(2024, 2, 29), make_time(8, 15, 23.5), make_timestamp(2013, 7, 15, 8, 15, 23.5)",
            "2024-02-29|08:15:23.5|2013-07-15 08:15:23.5",
        ),
        ("make_date(2023, 2, 29)", "22008 date field value out of range: 2023-02-29"),
        ("make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'Europe/Berlin')", "2013-07-15 06:15:23.5+00"),
        (
            "make_interval(), make_interval(1, 2), make_interval(days => 10), make_interval(hours => 1, secs => 1.5)",
            "00:00:00|1 year 2 mons|10 days|01:00:01.5",
        ),
        (
            "justify_hours(interval '27 hours'), justify_days(interval '35 days'), justify_interval(interval '1 mon -1 hour')",
            "1 day 03:00:00|1 mon 5 days|29 days 23:00:00",
        ),
        ("isfinite(timestamp 'infinity'), isfinite(date '2024-01-01'), isfinite(interval '1 day')", "f|t|t"),
        ("to_timestamp(1709213820.25), to_timestamp(0)", "2024-02-29 13:37:00.25+00|1970-01-01 00:00:00+00"),
        (
            "timestamp '2024-07-01 12:00' AT TIME ZONE 'Europe/Berlin', timestamptz '2024-07-01 12:00+00' AT TIME ZONE 'Europe/Berlin'",
            "2024-07-01 10:00:00+00|2024-07-01 14:00:00",
        ),
        (
            "timezone('America/New_York', timestamptz '2024-01-01 00:00+00'), timezone(interval '-5 hours', timestamptz '2024-01-01 00:00+00')",
            "2023-12-31 19:00:00|2023-12-31 19:00:00",
        ),
    ]);
}

#[test]
fn templates_show_times_and_numbers() {
    check(&[
        (
            "to_char(timestamp '2024-02-29 13:07:01.25', 'YYYY-MM-DD HH24:MI:SS.MS US')",
            "2024-02-29 13:07:01.250 250000",
        ),
        (
            "to_char(timestamp '2024-02-09 13:07:01', 'Dy DD Mon YYYY, HH12:MI AM, FMMonth FMDDth, Q IW IYYY DDD D ID')",
            "Fri 09 Feb 2024, 01:07 PM, February 9th, 1 06 2024 040 6 5",
        ),
        (
            "to_char(timestamp '2024-02-09', 'Day|FMDay|MONTH|month|\"quoted YYYY\"')",
            "Friday   |Friday|FEBRUARY |february |quoted YYYY",
        ),
        ("to_char(timestamptz '2024-02-09 00:00+00', 'TZ OF TZH:TZM')", "UTC +00 +00:00"),
        (
            "to_char(interval '1 day 26:03:04', 'DD HH24:MI:SS'), to_char(interval '15h 2m 12s', 'HH24:MI:SS')",
            "01 26:03:04|15:02:12",
        ),
        ("to_char(125, '999'), to_char(125.8::real, '999D9'), to_char(-125.8, '999D99S')", " 125| 125.8|125.80-"),
        (
            "to_char(-0.1, '99.99'), to_char(-0.1, 'FM9.99'), to_char(-0.1, 'FM90.99'), to_char(0.1, '0.9'), to_char(12, '9990999.9')",
            "  -.10|-.1|-0.1| 0.1|    0012.0",
        ),
        (
            "to_char(12, 'FM9990999.9'), to_char(485, '999'), to_char(-485, '999'), to_char(485, '9 9 9'), to_char(1485, '9,999')",
            "0012.| 485|-485| 4 8 5| 1,485",
        ),
        (
            "to_char(148.5, '999.999'), to_char(148.5, 'FM999.999'), to_char(148.5, 'FM999.990'), to_char(3148.5, '9G999D999')",
            " 148.500|148.5|148.500| 3,148.500",
        ),
        (
            "to_char(-485, '999S'), to_char(-485, '999MI'), to_char(485, '999MI'), to_char(485, 'FM999MI'), to_char(485, 'PL999'), to_char(485, 'SG999'), to_char(-485, 'SG999'), to_char(-485, '9SG99')",
            "485-|485-|485 |485|+ 485|+485|-485|4-85",
        ),
        (
            "to_char(-485, '999PR'), to_char(485, '999th'), to_char(485.8, '\"Pre:\"999\" Post:\" .999'), to_char(1234, '99')",
            "<485>| 485th|Pre: 485 Post: .800| ##",
        ),
        (
            "to_char(0.0004859, '9.99EEEE'), to_char(0, '999'), to_char(5, 'FM000'), to_char(1e6::float, 'FM9,999,999')",
            " 4.86e-04|   0|005|1,000,000",
        ),
        (
            "to_timestamp('05 Dec 2000', 'DD Mon YYYY'), to_timestamp('2024-02-29 01:07:01 PM', 'YYYY-MM-DD HH12:MI:SS AM')",
            "2000-12-05 00:00:00+00|2024-02-29 13:07:01+00",
        ),
        (
            "to_date('20240229', 'YYYYMMDD'), to_date('29/02/24', 'DD/MM/YY'), to_timestamp('20240229133701', 'YYYYMMDDHH24MISS')",
            "2024-02-29|2024-02-29|2024-02-29 13:37:01+00",
        ),
        ("to_date('2024-13-01', 'YYYY-MM-DD')", "22008 date/time field value out of range: \"2024-13-01\""),
        ("to_date('x', 'YYYY')", "22007 invalid value \"x\" for \"YYYY\""),
    ]);
}

#[test]
fn numbers_are_rounded_and_checked() {
    check(&[
        (
            "round(2.5::float), round(-3.5::float), round(2.5), round(-2.5), round(2.567, 2), round(1234.5, -2)",
            "2|-4|3|-3|2.57|1200",
        ),
        (
            "trunc(2.9), trunc(-2.9::float), trunc(2.567, 1), ceil(2.1), floor(-2.1), ceil(-0.5), floor(7)",
            "2|-2|2.5|3|-3|0|7",
        ),
        ("abs(-5), abs(-5.5), abs(-5.5::float), sign(-3), sign(2.5)", "5|5.5|5.5|-1|1"),
        ("abs('-32768'::smallint)", "22003 smallint out of range"),
        ("sqrt(4::float), sqrt(-1::float)", "2201F cannot take square root of a negative number"),
        (
            "sqrt(2::float), cbrt(27), power(2, 10), exp(0), ln(1::float), log(100::float)",
            "1.4142135623730951|3|1024|1|0|2",
        ),
        ("ln(0::float)", "2201E cannot take logarithm of zero"),
        ("log(-1.0)", "2201E cannot take logarithm of a negative number"),
        ("power(0::float, -1)", "2201F zero raised to a negative power is undefined"),
        ("power(-8::float, 0.5)", "2201F a negative number raised to a non-integer power yields a complex result"),
        ("mod(7, 3), mod(-7, 3), mod(7.5, 2), div(7.5, 2)", "1|-1|1.5|3"),
        ("mod(1, 0)", "22012 division by zero"),
        ("width_bucket(5.35, 0.024, 10.06, 5), width_bucket(-1, 0, 10, 5), width_bucket(10, 0, 10, 5)", "3|0|6"),
        (
            "greatest(1, 2.5, 2), least('2024-01-02'::date, '2024-01-01'), coalesce(NULL, 5), nullif(3, 3)",
            "2.5|2024-01-01|5|",
        ),
        ("coalesce(NULL::timestamptz, 'infinity'), coalesce(x, '5') FROM (SELECT 1 AS x) v", "infinity|1"),
        ("coalesce(1, 'x')", "22P02 invalid input syntax for type integer: \"x\""),
        ("coalesce(1, now())", "42804 COALESCE types integer and timestamp with time zone cannot be matched"),
    ]);
}

#[test]
fn texts_are_put_together() {
    check(&[
        (
            "quote_ident('Foo bar'), quote_ident('foo'), quote_ident('select'), quote_literal(E'O\\'Reilly'), quote_nullable(NULL)",
            "\"Foo bar\"|foo|\"select\"|'O''Reilly'|NULL",
        ),
        (
            "format('Hello %s, %1$s', 'World'), format('%I = %L', 'a b', 'x''y'), format('|%10s|%-10s|', 'foo', 'bar'), format('%%')",
            "Hello World, World|\"a b\" = 'x''y'||       foo|bar       ||%",
        ),
        ("format('%s %s', 1)", "22023 too few arguments for format()"),
        ("concat('a', NULL, 1, 1.5::float, date '2024-01-01'), concat_ws(',', 'a', NULL, 2)", "a11.52024-01-01|a,2"),
        (
            "pg_size_pretty(1000::bigint), pg_size_pretty(20000::bigint), pg_size_pretty(123456789::bigint), pg_size_pretty((-20000)::bigint)",
            "1000 bytes|20 kB|118 MB|-20 kB",
        ),
        (
            "pg_typeof(1), pg_typeof(1.5), pg_typeof('2024-01-01'::timestamptz), pg_typeof(now() - now()), pg_typeof(1::bigint + 1), pg_typeof(1.5 * 2::float)",
            "integer|numeric|timestamp with time zone|interval|bigint|double precision",
        ),
        ("length(gen_random_uuid()::text)", "36"),
    ]);
}

#[test]
fn series_are_generated() {
    check(&[
        ("* FROM generate_series(1, 3)", "1;2;3"),
        ("i + 1 FROM generate_series(3, 1, -1) i", "4;3;2"),
        ("x FROM generate_series(0, 1, 0.5) AS g(x)", "0;0.5;1.0"),
        ("* FROM generate_series(3, 1)", ""),
        ("* FROM generate_series(1, 3, 0)", "22023 step size cannot equal zero"),
        ("count(*), sum(i) FROM generate_series(1, 100000) i", "100000|5000050000"),
        (
            "* FROM generate_series(timestamp '2024-01-31', '2024-04-01', '1 month')",
            "2024-01-31 00:00:00;2024-02-29 00:00:00;2024-03-29 00:00:00",
        ),
        (
            "t FROM generate_series(timestamptz '2024-03-30 23:00:00+00:00', timestamptz '2024-03-31 02:00:00+00:00', '1 hour') t",
            "2024-03-30 23:00:00+00;2024-03-31 00:00:00+00;2024-03-31 01:00:00+00;2024-03-31 02:00:00+00",
        ),
        ("count(*) FROM generate_series(date '2024-01-01', date '2024-01-31', interval '1 day')", "31"),
        ("* FROM generate_series(NULL, 3)", ""),
    ]);
    check_in(
        "Europe/Berlin",
        &[(
            "t FROM generate_series(timestamptz '2024-03-30 11:00:00+00:00', timestamptz '2024-03-31 22:00:00+00:00', '1 day') t",
            "2024-03-30 12:00:00+01;2024-03-31 12:00:00+02",
        )],
    );
}

#[test]
fn aggregates_choose_count_and_sort() {
    check(&[
        ("first(v, t), last(v, t) FROM (VALUES (1, 10), (2, 5), (3, NULL), (4, 20), (5, 20)) x(v, t)", "2|5"),
        ("first(v, t), last(v, t) FROM (VALUES (NULL, 1), (2, 5)) x(v, t)", "|2"),
        ("first(v, t), last(v, t) FROM (SELECT 1 AS v, 1 AS t WHERE false) x", "|"),
        (
            "first(v, t), last(v, t) FILTER (WHERE v <> 'c') FROM (VALUES ('a', timestamp '2024-01-02'), ('b', timestamp '2024-01-01'), ('c', timestamp '2024-01-03')) x(v, t)",
            "b|a",
        ),
        (
            "g, first(v, t), last(v, t) FROM (SELECT i % 3 AS g, i AS v, -i AS t FROM generate_series(1, 1000) i) x GROUP BY g ORDER BY g",
            "0|999|3;1|1000|1;2|998|2",
        ),
        (
            "histogram(x, 0, 10, 5) FROM unnest(ARRAY[-0.1, 0, 1.9999, 2, 9.9999, 10, 11, NULL]::float[]) x",
            "{1,3,1,0,0,1,2}",
        ),
        ("histogram(x, 1, 4, 3) FROM generate_series(0, 5) x", "{1,1,1,1,2}"),
        ("histogram(x, 0, 10, 2) FROM generate_series(1, 0) x", ""),
        ("histogram(NULL::float, 0, 10, 2)", "{0,1,0,0}"),
        (
            "g, histogram(x, 0, 6, 3) FROM (SELECT x % 2 AS g, x FROM generate_series(0, 9) x) q GROUP BY g ORDER BY g",
            "0|{0,1,1,1,2};1|{0,1,1,1,2}",
        ),
        ("histogram(1, 10, 0, 5)", "22023 lower bound cannot exceed upper bound"),
        ("histogram(1, 0, 10, 0)", "2201G count must be greater than zero"),
        ("histogram(1, 0, 0, 5)", "2201G lower bound cannot equal upper bound"),
        ("histogram('NaN'::float, 0, 10, 2)", "2201G operand, lower bound, and upper bound cannot be NaN"),
        ("histogram('Infinity'::float, 0, 10, 2)", "{0,0,0,1}"),
        (
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x % 2) FROM generate_series(1, 4) x",
            "2.5|2|0",
        ),
        ("percentile_cont(0.25) WITHIN GROUP (ORDER BY x DESC) FROM generate_series(1, 5) x", "4"),
        (
            "percentile_cont(ARRAY[0, 0.25, 1]) WITHIN GROUP (ORDER BY x), percentile_disc(ARRAY[0.5, 1]) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 5) x",
            "{1,2,5}|{3,5}",
        ),
        (
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (interval '1 day'), (interval '3 days')) v(x)",
            "2 days",
        ),
        (
            "percentile_cont(1.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 5) x",
            "22003 percentile value 1.5 is not between 0 and 1",
        ),
        (
            "percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x) FROM (VALUES ('a'), ('b'), ('b'), (NULL)) v(x)",
            "b|b",
        ),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 0) x", ""),
        ("every(x), bool_or(x), bool_and(x) FROM (VALUES (true), (false)) v(x)", "f|t|f"),
        ("string_agg(x, ',' ORDER BY x DESC) FROM (VALUES ('a'), ('b'), (NULL)) v(x)", "b,a"),
    ]);
}
