-- Forecasts against observations: three aggregates over the deviations, each with its policy.
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
SELECT create_hypertable('deviations', 'timestamp');

CREATE MATERIALIZED VIEW daily_accuracy_metrics
WITH (timescaledb.continuous) AS
SELECT
  time_bucket('1 day', timestamp) AS bucket,
  site_id,
  model_id,
  parameter_id,
  horizon,
  AVG(ABS(deviation)) AS mae,
  AVG(deviation) AS bias,
  STDDEV(deviation) AS std_dev,
  COUNT(*) AS sample_size,
  MIN(deviation) AS min_deviation,
  MAX(deviation) AS max_deviation
FROM deviations
GROUP BY bucket, site_id, model_id, parameter_id, horizon
WITH NO DATA;

-- Refresh policy: update daily at 2 AM
SELECT add_continuous_aggregate_policy('daily_accuracy_metrics',
  start_offset => INTERVAL '3 days',
  end_offset => INTERVAL '1 hour',
  schedule_interval => INTERVAL '1 day');

CREATE MATERIALIZED VIEW weekly_accuracy_metrics
WITH (timescaledb.continuous) AS
SELECT
  time_bucket('7 days', timestamp) AS bucket,
  site_id,
  model_id,
  parameter_id,
  horizon,
  AVG(ABS(deviation)) AS mae,
  AVG(deviation) AS bias,
  STDDEV(deviation) AS std_dev,
  COUNT(*) AS sample_size
FROM deviations
GROUP BY bucket, site_id, model_id, parameter_id, horizon
WITH NO DATA;

-- Refresh policy: update weekly
SELECT add_continuous_aggregate_policy('weekly_accuracy_metrics',
  start_offset => INTERVAL '3 weeks',
  end_offset => INTERVAL '1 day',
  schedule_interval => INTERVAL '1 week');

CREATE MATERIALIZED VIEW monthly_accuracy_metrics
WITH (timescaledb.continuous) AS
SELECT
  time_bucket('30 days', timestamp) AS bucket,
  site_id,
  model_id,
  parameter_id,
  horizon,
  AVG(ABS(deviation)) AS mae,
  AVG(deviation) AS bias,
  STDDEV(deviation) AS std_dev,
  COUNT(*) AS sample_size
FROM deviations
GROUP BY bucket, site_id, model_id, parameter_id, horizon
WITH NO DATA;

-- Refresh policy: update monthly
SELECT add_continuous_aggregate_policy('monthly_accuracy_metrics',
  start_offset => INTERVAL '3 months',
  end_offset => INTERVAL '1 day',
  schedule_interval => INTERVAL '30 days');
