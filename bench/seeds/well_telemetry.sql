-- Telemetry of wells, a row a minute: hourly averages and daily statistics with medians, each with its policy.
\set ON_ERROR_STOP on

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE esp_telemetry (
    timestamp timestamptz NOT NULL,
    well_id text NOT NULL,
    flow_rate double precision,
    pip double precision,
    pdp double precision,
    motor_current double precision,
    motor_voltage double precision,
    motor_temp double precision,
    intake_temp double precision,
    vibration double precision,
    vibration_y double precision,
    vsd_frequency double precision,
    flow_variance double precision,
    torque double precision,
    gor double precision,
    wellhead_pressure double precision,
    casing_pressure double precision,
    power_kw double precision,
    water_cut double precision,
    oil_rate double precision,
    gas_rate double precision,
    tubing_temp double precision,
    status text
);
SELECT create_hypertable('esp_telemetry', 'timestamp');
CREATE INDEX esp_telemetry_well ON esp_telemetry (well_id, timestamp DESC);

CREATE MATERIALIZED VIEW telemetry_hourly WITH (timescaledb.continuous) AS
SELECT
    time_bucket('1 hour', timestamp) AS bucket,
    well_id,
    count(*) AS samples,
    avg(flow_rate) AS flow_rate_avg, min(flow_rate) AS flow_rate_min, max(flow_rate) AS flow_rate_max, stddev(flow_rate) AS flow_rate_stddev,
    avg(pip) AS pip_avg, min(pip) AS pip_min, max(pip) AS pip_max, stddev(pip) AS pip_stddev,
    avg(pdp) AS pdp_avg, min(pdp) AS pdp_min, max(pdp) AS pdp_max, stddev(pdp) AS pdp_stddev,
    avg(motor_current) AS motor_current_avg, min(motor_current) AS motor_current_min, max(motor_current) AS motor_current_max, stddev(motor_current) AS motor_current_stddev,
    avg(motor_voltage) AS motor_voltage_avg, min(motor_voltage) AS motor_voltage_min, max(motor_voltage) AS motor_voltage_max, stddev(motor_voltage) AS motor_voltage_stddev,
    avg(motor_temp) AS motor_temp_avg, min(motor_temp) AS motor_temp_min, max(motor_temp) AS motor_temp_max, stddev(motor_temp) AS motor_temp_stddev,
    avg(intake_temp) AS intake_temp_avg, min(intake_temp) AS intake_temp_min, max(intake_temp) AS intake_temp_max, stddev(intake_temp) AS intake_temp_stddev,
    avg(vibration) AS vibration_avg, min(vibration) AS vibration_min, max(vibration) AS vibration_max, stddev(vibration) AS vibration_stddev,
    avg(vibration_y) AS vibration_y_avg, min(vibration_y) AS vibration_y_min, max(vibration_y) AS vibration_y_max, stddev(vibration_y) AS vibration_y_stddev,
    avg(vsd_frequency) AS vsd_frequency_avg, min(vsd_frequency) AS vsd_frequency_min, max(vsd_frequency) AS vsd_frequency_max, stddev(vsd_frequency) AS vsd_frequency_stddev,
    avg(flow_variance) AS flow_variance_avg, min(flow_variance) AS flow_variance_min, max(flow_variance) AS flow_variance_max, stddev(flow_variance) AS flow_variance_stddev,
    avg(torque) AS torque_avg, min(torque) AS torque_min, max(torque) AS torque_max, stddev(torque) AS torque_stddev,
    avg(gor) AS gor_avg, min(gor) AS gor_min, max(gor) AS gor_max, stddev(gor) AS gor_stddev,
    avg(wellhead_pressure) AS wellhead_pressure_avg, min(wellhead_pressure) AS wellhead_pressure_min, max(wellhead_pressure) AS wellhead_pressure_max, stddev(wellhead_pressure) AS wellhead_pressure_stddev,
    avg(casing_pressure) AS casing_pressure_avg, min(casing_pressure) AS casing_pressure_min, max(casing_pressure) AS casing_pressure_max, stddev(casing_pressure) AS casing_pressure_stddev,
    avg(power_kw) AS power_kw_avg, min(power_kw) AS power_kw_min, max(power_kw) AS power_kw_max, stddev(power_kw) AS power_kw_stddev,
    avg(water_cut) AS water_cut_avg, min(water_cut) AS water_cut_min, max(water_cut) AS water_cut_max, stddev(water_cut) AS water_cut_stddev,
    avg(oil_rate) AS oil_rate_avg, min(oil_rate) AS oil_rate_min, max(oil_rate) AS oil_rate_max, stddev(oil_rate) AS oil_rate_stddev,
    avg(gas_rate) AS gas_rate_avg, min(gas_rate) AS gas_rate_min, max(gas_rate) AS gas_rate_max, stddev(gas_rate) AS gas_rate_stddev,
    avg(tubing_temp) AS tubing_temp_avg, min(tubing_temp) AS tubing_temp_min, max(tubing_temp) AS tubing_temp_max, stddev(tubing_temp) AS tubing_temp_stddev
FROM esp_telemetry
GROUP BY bucket, well_id
WITH NO DATA;

SELECT add_continuous_aggregate_policy('telemetry_hourly',
    start_offset => INTERVAL '3 hours',
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '15 minutes');

CREATE MATERIALIZED VIEW telemetry_daily WITH (timescaledb.continuous) AS
SELECT
    time_bucket('1 day', timestamp) AS bucket,
    well_id,
    count(*) AS samples,
    avg(flow_rate) AS flow_rate_avg, min(flow_rate) AS flow_rate_min, max(flow_rate) AS flow_rate_max, stddev(flow_rate) AS flow_rate_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY flow_rate) AS flow_rate_median,
    avg(pip) AS pip_avg, min(pip) AS pip_min, max(pip) AS pip_max, stddev(pip) AS pip_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY pip) AS pip_median,
    avg(pdp) AS pdp_avg, min(pdp) AS pdp_min, max(pdp) AS pdp_max, stddev(pdp) AS pdp_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY pdp) AS pdp_median,
    avg(motor_current) AS motor_current_avg, min(motor_current) AS motor_current_min, max(motor_current) AS motor_current_max, stddev(motor_current) AS motor_current_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY motor_current) AS motor_current_median,
    avg(motor_voltage) AS motor_voltage_avg, min(motor_voltage) AS motor_voltage_min, max(motor_voltage) AS motor_voltage_max, stddev(motor_voltage) AS motor_voltage_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY motor_voltage) AS motor_voltage_median,
    avg(motor_temp) AS motor_temp_avg, min(motor_temp) AS motor_temp_min, max(motor_temp) AS motor_temp_max, stddev(motor_temp) AS motor_temp_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY motor_temp) AS motor_temp_median,
    avg(intake_temp) AS intake_temp_avg, min(intake_temp) AS intake_temp_min, max(intake_temp) AS intake_temp_max, stddev(intake_temp) AS intake_temp_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY intake_temp) AS intake_temp_median,
    avg(vibration) AS vibration_avg, min(vibration) AS vibration_min, max(vibration) AS vibration_max, stddev(vibration) AS vibration_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY vibration) AS vibration_median,
    avg(vibration_y) AS vibration_y_avg, min(vibration_y) AS vibration_y_min, max(vibration_y) AS vibration_y_max, stddev(vibration_y) AS vibration_y_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY vibration_y) AS vibration_y_median,
    avg(vsd_frequency) AS vsd_frequency_avg, min(vsd_frequency) AS vsd_frequency_min, max(vsd_frequency) AS vsd_frequency_max, stddev(vsd_frequency) AS vsd_frequency_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY vsd_frequency) AS vsd_frequency_median,
    avg(flow_variance) AS flow_variance_avg, min(flow_variance) AS flow_variance_min, max(flow_variance) AS flow_variance_max, stddev(flow_variance) AS flow_variance_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY flow_variance) AS flow_variance_median,
    avg(torque) AS torque_avg, min(torque) AS torque_min, max(torque) AS torque_max, stddev(torque) AS torque_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY torque) AS torque_median,
    avg(gor) AS gor_avg, min(gor) AS gor_min, max(gor) AS gor_max, stddev(gor) AS gor_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY gor) AS gor_median,
    avg(wellhead_pressure) AS wellhead_pressure_avg, min(wellhead_pressure) AS wellhead_pressure_min, max(wellhead_pressure) AS wellhead_pressure_max, stddev(wellhead_pressure) AS wellhead_pressure_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY wellhead_pressure) AS wellhead_pressure_median,
    avg(casing_pressure) AS casing_pressure_avg, min(casing_pressure) AS casing_pressure_min, max(casing_pressure) AS casing_pressure_max, stddev(casing_pressure) AS casing_pressure_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY casing_pressure) AS casing_pressure_median,
    avg(power_kw) AS power_kw_avg, min(power_kw) AS power_kw_min, max(power_kw) AS power_kw_max, stddev(power_kw) AS power_kw_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY power_kw) AS power_kw_median,
    avg(water_cut) AS water_cut_avg, min(water_cut) AS water_cut_min, max(water_cut) AS water_cut_max, stddev(water_cut) AS water_cut_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY water_cut) AS water_cut_median,
    avg(oil_rate) AS oil_rate_avg, min(oil_rate) AS oil_rate_min, max(oil_rate) AS oil_rate_max, stddev(oil_rate) AS oil_rate_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY oil_rate) AS oil_rate_median,
    avg(gas_rate) AS gas_rate_avg, min(gas_rate) AS gas_rate_min, max(gas_rate) AS gas_rate_max, stddev(gas_rate) AS gas_rate_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY gas_rate) AS gas_rate_median,
    avg(tubing_temp) AS tubing_temp_avg, min(tubing_temp) AS tubing_temp_min, max(tubing_temp) AS tubing_temp_max, stddev(tubing_temp) AS tubing_temp_stddev, percentile_cont(0.5) WITHIN GROUP (ORDER BY tubing_temp) AS tubing_temp_median
FROM esp_telemetry
GROUP BY bucket, well_id
WITH NO DATA;

SELECT add_continuous_aggregate_policy('telemetry_daily',
    start_offset => INTERVAL '3 days',
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '1 hour');
