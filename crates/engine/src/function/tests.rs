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
        ("date_part('hour', date '2024-01-01')", "0A000 unit \"hour\" not supported for type date"),
        ("date_part('year', timestamp 'infinity'), date_part('hour', timestamp 'infinity')", "Infinity|"),
        ("extract(julian FROM date '2024-02-29')", "2460370.000000"),
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
