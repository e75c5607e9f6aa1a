//! A radio that receives updates in packets of a few bytes. Here they are files that QEMU reads.

use core::ffi::CStr;
use semihosting::fs::File;
use semihosting::io::Read;

/// The bytes of a packet, as many as a LoRa packet holds at the slowest rate, without its header.
const PACKET: usize = 48;
/// What arrives, in this order: four updates that must be refused, one that must not, and one that alarms too often.
const ARRIVING: [(&CStr, &str); 6] = [
    (c"cut.sru", "cut.sru"),
    (c"forged.sru", "forged.sru"),
    (c"foreign.sru", "foreign.sru"),
    (c"old.sru", "old.sru"),
    (c"better.sru", "better.sru"),
    (c"restless.sru", "restless.sru"),
];

/// What the radio has for the firmware.
pub enum Packet {
    /// Nothing.
    Silence,
    /// Bytes of an update, and their number.
    Chunk([u8; PACKET], usize),
    /// The sender has sent all of an update.
    End,
}

/// The radio.
pub struct Radio {
    /// The update that arrives, counted from 0.
    at: usize,
    file: Option<File>,
}

impl Radio {
    /// Switches the radio on. If nobody sends, it stays silent.
    pub fn new(is_sent: bool) -> Self {
        Self { at: if is_sent { 0 } else { ARRIVING.len() }, file: None }
    }

    /// Returns the name of the update that arrives.
    pub fn name(&self) -> &'static str {
        ARRIVING.get(self.at.saturating_sub(1)).map_or("", |(_, name)| name)
    }

    /// Drops the rest of the update.
    pub fn skip(&mut self) {
        self.file = None;
    }

    /// Returns the next packet.
    pub fn receive(&mut self) -> Packet {
        let Some(file) = &mut self.file else {
            let Some((path, _)) = ARRIVING.get(self.at) else { return Packet::Silence };
            self.at += 1;
            self.file = File::open(path).ok();
            return Packet::Silence;
        };
        let mut bytes = [0; PACKET];
        match file.read(&mut bytes) {
            Ok(length @ 1..) => Packet::Chunk(bytes, length),
            _ => {
                self.file = None;
                Packet::End
            }
        }
    }
}
