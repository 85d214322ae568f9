//! timing
use autojit_code::*;
use std::time::Instant;
struct R(usize);
impl Resolver for R {
    fn resolve(&mut self, s: &str, _: Usage, _: bool) -> Result<Target, String> {
        Ok(Target { address: self.0 ^ ((s.len() % 2) << 45), pending: Some(1) })
    }
}
fn main() {
    unsafe extern "C" {
        static __executable_start: u8;
        static _end: u8;
    }
    let object = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let t = Instant::now();
    let m: &'static CodeMemory = Box::leak(Box::new(
        CodeMemory::reserve((&raw const __executable_start as usize)..(&raw const _end as usize)).unwrap(),
    ));
    println!("reserve {:?}", t.elapsed());
    let u = UnwindTable::new();
    let from = m.range().start + 0x1000;
    let mut site = None;
    for i in 0..200 {
        let t = Instant::now();
        let l = link(&object, m, &mut R(from)).unwrap();
        let a = t.elapsed();
        let c = l.commit().unwrap();
        let b = t.elapsed();
        u.register(&c);
        if i < 3 || i > 196 {
            println!("link {a:?} commit {b:?} register {:?} bytes {:?} functions {} sites {}", t.elapsed(), c.bytes, c.functions.len(), c.call_sites.len());
        }
        if site.is_none() {
            let t = Instant::now();
            let n = c.call_sites.iter().filter(|s| patch_call(m, s.address, s.target, from + 64)).count();
            println!("first patches {:?} {n}", t.elapsed());
            let t = Instant::now();
            let n = c.call_sites.iter().filter(|s| patch_call(m, s.address, from + 64, s.target)).count();
            println!("second patches {:?} {n}", t.elapsed());
            site = Some(1);
        }
    }
}
