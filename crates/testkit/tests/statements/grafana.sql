-- What Grafana's PostgreSQL data source sends. 16384 stands for the oid of `readings`.

-- On saving the data source
SELECT 1;
SELECT current_setting('server_version_num')::int/100 as version;
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- The query builder: schemas, tables, columns
SELECT schema_name AS "name" FROM information_schema.schemata
WHERE schema_name NOT IN ('information_schema', 'pg_catalog', 'pg_toast', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental')
ORDER BY schema_name;

SELECT
  CASE WHEN
    quote_ident(table_schema) IN (
    SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(
        array_lower(string_to_array(current_setting('search_path'),','),1),
        array_upper(string_to_array(current_setting('search_path'),','),1)
      ) as i,
      string_to_array(current_setting('search_path'),',') s
    )
    THEN quote_ident(table_name)
    ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
  END AS "table"
FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental')
ORDER BY CASE WHEN
    quote_ident(table_schema) IN (
    SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(
        array_lower(string_to_array(current_setting('search_path'),','),1),
        array_upper(string_to_array(current_setting('search_path'),','),1)
      ) as i,
      string_to_array(current_setting('search_path'),',') s
    ) THEN 0 ELSE 1 END, 1;

SELECT quote_ident(column_name) AS "column", data_type AS "type"
FROM information_schema.columns
WHERE
  CASE WHEN array_length(parse_ident('public.readings'),1) = 2
    THEN quote_ident(table_schema) = (parse_ident('public.readings'))[1]
      AND quote_ident(table_name) = (parse_ident('public.readings'))[2]
    ELSE quote_ident(table_name) = 'public.readings'
      AND quote_ident(table_schema) IN (
      SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
      FROM generate_series(
          array_lower(string_to_array(current_setting('search_path'),','),1),
          array_upper(string_to_array(current_setting('search_path'),','),1)
        ) as i,
        string_to_array(current_setting('search_path'),',') s
      )
  END;

-- What the macros of a panel become: $__timeFilter, $__timeGroupAlias with and without TimescaleDB, $__unixEpochFilter
SELECT time AS "time", sensor::text AS metric, price FROM readings
WHERE time BETWEEN '2026-03-01T00:00:00Z' AND '2026-03-02T00:00:00.123Z' ORDER BY 1;
SELECT time_bucket('60.000s',time) AS "time", avg(price) AS "avg", sensor::text AS metric FROM readings
WHERE time BETWEEN '2026-03-01T00:00:00Z' AND '2026-03-02T00:00:00Z' GROUP BY 1, 3 ORDER BY 1, 2;
SELECT floor(extract(epoch from time)/300)*300 AS "time", count(*) FROM readings
WHERE time >= '2026-03-01T00:00:00Z' AND time <= '2026-03-02T00:00:00Z' GROUP BY 1 ORDER BY 1;
SELECT extract(epoch from time) AS "time", price FROM readings
WHERE extract(epoch from time) >= 1772323200 AND extract(epoch from time) <= 1772409600 LIMIT 50;
SELECT DISTINCT "sensor" FROM "public"."readings" ORDER BY 1;
SELECT "time", "price" FROM public.readings WHERE "note" IN ('a','b') AND $$x$$ = 'x' LIMIT 50;
