//! Prices over a time: the first, highest, lowest and last, each with its time, and the volume.
//!
//! Which of several prices at one time is the first, and which the last, does not depend on the order of rows: the
//! smallest is the first and the largest the last.

use super::{ROUNDING, Reader, is_close, write_f64};
use crate::Result;

/// A price and when it was paid, microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    /// When.
    pub time: i64,
    /// How much.
    pub price: f64,
}

/// The state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candlestick {
    /// The first price.
    pub open: Tick,
    /// The highest price, at its first time.
    pub high: Tick,
    /// The lowest price, at its first time.
    pub low: Tick,
    /// The last price.
    pub close: Tick,
    /// How much was traded, and Σ price · volume; `None` when a volume is unknown.
    volume: Option<(f64, f64)>,
}

impl Candlestick {
    /// One trade.
    pub fn trade(time: i64, price: f64, volume: Option<f64>) -> Self {
        let tick = Tick { time, price };
        Candlestick { open: tick, high: tick, low: tick, close: tick, volume: volume.map(|v| (v, v * price)) }
    }

    /// What is known of all trades of a time; their prices are taken to be (high + low + close) / 3.
    pub fn whole(time: i64, [open, high, low, close]: [f64; 4], volume: Option<f64>) -> Self {
        let tick = |price| Tick { time, price };
        let typical = (high + low + close) / 3.0;
        Candlestick {
            open: tick(open),
            high: tick(high),
            low: tick(low),
            close: tick(close),
            volume: volume.map(|v| (v, v * typical)),
        }
    }

    /// Takes the trades of another in.
    pub fn merge(&mut self, other: &Candlestick) {
        let earlier = |a: &Tick, b: &Tick| (a.time, a.price) < (b.time, b.price);
        if earlier(&other.open, &self.open) {
            self.open = other.open;
        }
        if earlier(&self.close, &other.close) {
            self.close = other.close;
        }
        let (high, low) = (&other.high, &other.low);
        if high.price > self.high.price || (high.price == self.high.price && high.time < self.high.time) {
            self.high = *high;
        }
        if low.price < self.low.price || (low.price == self.low.price && low.time < self.low.time) {
            self.low = *low;
        }
        self.volume = match (self.volume, other.volume) {
            (Some((v, weighted)), Some((v2, weighted2))) => Some((v + v2, weighted + weighted2)),
            _ => None,
        };
    }

    /// See [`super::State::is_same`].
    pub fn is_same(&self, other: &Candlestick) -> bool {
        let close = |a: f64, b: f64| is_close(a, b, ROUNDING * a.abs());
        let same_volume = match (self.volume, other.volume) {
            (Some((v, weighted)), Some((v2, weighted2))) => close(v, v2) && close(weighted, weighted2),
            (None, None) => true,
            _ => false,
        };
        same_volume && Candlestick { volume: other.volume, ..*self } == *other
    }

    /// How much was traded; `None` when that is not known.
    pub fn volume(&self) -> Option<f64> {
        self.volume.map(|(volume, _)| volume)
    }

    /// The mean price, weighted by volume; `None` when nothing was traded, or the volume is not known.
    pub fn vwap(&self) -> Option<f64> {
        self.volume.filter(|(volume, _)| *volume != 0.0).map(|(volume, weighted)| weighted / volume)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(1);
        for tick in [&self.open, &self.high, &self.low, &self.close] {
            out.extend_from_slice(&tick.time.to_le_bytes());
            write_f64(out, tick.price);
        }
        out.push(u8::from(self.volume.is_some()));
        if let Some((volume, weighted)) = self.volume {
            write_f64(out, volume);
            write_f64(out, weighted);
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let mut tick = || Ok::<_, crate::Error>(Tick { time: reader.u64()? as i64, price: reader.f64()? });
        let (open, high, low, close) = (tick()?, tick()?, tick()?, tick()?);
        let volume = match reader.byte()? {
            0 => None,
            1 => Some((reader.f64()?, reader.f64()?)),
            _ => return Err(reader.wrong("whether it has a volume is unclear")),
        };
        Ok(Candlestick { open, high, low, close, volume })
    }
}
