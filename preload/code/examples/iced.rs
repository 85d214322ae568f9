//! timing
use iced_x86::*;
use std::time::Instant;
fn main() {
    let t = Instant::now();
    let i = Decoder::with_ip(64, &[0xe8, 1, 0, 0, 0], 0x1000, DecoderOptions::NONE).decode();
    println!("decode {:?}", t.elapsed());
    let t = Instant::now();
    let n = Instruction::with_branch(i.code(), 0x2000).unwrap();
    println!("with_branch {:?}", t.elapsed());
    let t = Instant::now();
    let mut e = Encoder::try_with_capacity(64, 5).unwrap();
    println!("encoder {:?}", t.elapsed());
    e.encode(&n, 0x1000).unwrap();
    println!("encode {:?}", t.elapsed());
}
