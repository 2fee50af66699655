-- What a user's migration looks like: a table, its hypertable, three aggregates with policies, sent as one file.
\set ON_ERROR_STOP on

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE deviations (
    timestamp timestamptz NOT NULL,
    site_id integer NOT NULL,
    model_id integer NOT NULL,
    parameter_id integer NOT NULL,
    horizon integer NOT NULL,
    forecast_value double precision,
    observed_value double precision,
    deviation double precision,
    PRIMARY KEY (timestamp, site_id, model_id, parameter_id, horizon)
);
SELECT create_hypertable('deviations', 'timestamp', chunk_time_interval => INTERVAL '7 days');
CREATE INDEX deviations_site ON deviations (site_id, timestamp DESC);

INSERT INTO deviations
SELECT timestamptz '2026-01-01 00:00Z' + hour * interval '1 hour', site, 1, 1, 6, 10 + site, 10, site - 2.5
FROM generate_series(0, 24 * 90 - 1) AS hours (hour), generate_series(1, 4) AS sites (site);

CREATE MATERIALIZED VIEW daily_accuracy_metrics WITH (timescaledb.continuous) AS
SELECT
    time_bucket('1 day', timestamp) AS bucket,
    site_id, model_id, parameter_id, horizon,
    AVG(ABS(deviation)) AS mae,
    AVG(deviation) AS bias,
    STDDEV(deviation) AS std_dev,
    COUNT(*) AS sample_size,
    MIN(deviation) AS min_deviation,
    MAX(deviation) AS max_deviation
FROM deviations
GROUP BY bucket, site_id, model_id, parameter_id, horizon
WITH NO DATA;

SELECT add_continuous_aggregate_policy('daily_accuracy_metrics',
    start_offset => INTERVAL '3 days',
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '1 day');

CREATE MATERIALIZED VIEW weekly_accuracy_metrics WITH (timescaledb.continuous) AS
SELECT time_bucket('7 days', timestamp) AS bucket, site_id, AVG(ABS(deviation)) AS mae, COUNT(*) AS sample_size
FROM deviations
GROUP BY bucket, site_id
WITH NO DATA;

SELECT add_continuous_aggregate_policy('weekly_accuracy_metrics',
    start_offset => INTERVAL '3 weeks',
    end_offset => INTERVAL '1 day',
    schedule_interval => INTERVAL '1 week');

CREATE MATERIALIZED VIEW monthly_accuracy_metrics WITH (timescaledb.continuous) AS
SELECT time_bucket('30 days', timestamp) AS bucket, site_id, AVG(ABS(deviation)) AS mae, COUNT(*) AS sample_size
FROM deviations
GROUP BY bucket, site_id
WITH NO DATA;

SELECT add_continuous_aggregate_policy('monthly_accuracy_metrics',
    start_offset => INTERVAL '3 months',
    end_offset => INTERVAL '1 day',
    schedule_interval => INTERVAL '30 days');

CALL refresh_continuous_aggregate('daily_accuracy_metrics', NULL, NULL);
CALL refresh_continuous_aggregate('weekly_accuracy_metrics', NULL, NULL);
CALL refresh_continuous_aggregate('monthly_accuracy_metrics', '2026-01-01', '2026-04-01');
