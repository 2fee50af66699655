-- Sensor readings of oil wells with electric pumps: one row per well and minute.
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

CREATE MATERIALIZED VIEW telemetry_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 hour', timestamp) AS bucket, well_id,
       count(*) AS readings,
       avg(flow_rate) AS avg_flow_rate, min(flow_rate) AS min_flow_rate, max(flow_rate) AS max_flow_rate, stddev(flow_rate) AS stddev_flow_rate,
       avg(pip) AS avg_pip, min(pip) AS min_pip, max(pip) AS max_pip,
       avg(pdp) AS avg_pdp,
       avg(motor_current) AS avg_motor_current, max(motor_current) AS max_motor_current,
       avg(motor_voltage) AS avg_motor_voltage,
       avg(motor_temp) AS avg_motor_temp, max(motor_temp) AS max_motor_temp,
       avg(intake_temp) AS avg_intake_temp,
       avg(vibration) AS avg_vibration, max(vibration) AS max_vibration, stddev(vibration) AS stddev_vibration,
       avg(vsd_frequency) AS avg_vsd_frequency,
       avg(torque) AS avg_torque,
       avg(gor) AS avg_gor,
       avg(wellhead_pressure) AS avg_wellhead_pressure,
       avg(power_kw) AS avg_power_kw,
       avg(water_cut) AS avg_water_cut,
       avg(oil_rate) AS avg_oil_rate,
       avg(gas_rate) AS avg_gas_rate,
       count(*) FILTER (WHERE status <> 'running') AS not_running
FROM esp_telemetry
GROUP BY bucket, well_id
WITH NO DATA;

CREATE MATERIALIZED VIEW telemetry_daily
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 day', timestamp) AS bucket, well_id,
       count(*) AS readings,
       avg(flow_rate) AS avg_flow_rate, min(flow_rate) AS min_flow_rate, max(flow_rate) AS max_flow_rate, stddev(flow_rate) AS stddev_flow_rate,
       avg(motor_temp) AS avg_motor_temp, min(motor_temp) AS min_motor_temp, max(motor_temp) AS max_motor_temp, stddev(motor_temp) AS stddev_motor_temp,
       avg(vibration) AS avg_vibration, min(vibration) AS min_vibration, max(vibration) AS max_vibration, stddev(vibration) AS stddev_vibration,
       avg(power_kw) AS avg_power_kw, max(power_kw) AS max_power_kw,
       avg(oil_rate) AS avg_oil_rate, avg(water_cut) AS avg_water_cut
FROM esp_telemetry
GROUP BY bucket, well_id
WITH NO DATA;

SELECT add_continuous_aggregate_policy('telemetry_hourly',
    start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '15 minutes');
SELECT add_continuous_aggregate_policy('telemetry_daily',
    start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour');
