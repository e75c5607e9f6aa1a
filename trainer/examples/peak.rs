use pulp::{Simd, WithSimd};
use std::time::Instant;
struct Op {
    n: u64,
}
impl WithSimd for Op {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f32 {
        let (a, b) = (s.splat_f32s(std::hint::black_box(0.9999)), s.splat_f32s(std::hint::black_box(1e-7)));
        let mut acc = [s.splat_f32s(1.0); 12];
        for _ in 0..self.n {
            for v in &mut acc {
                *v = s.mul_add_e_f32s(*v, a, b);
            }
        }
        let mut t = s.splat_f32s(0.0);
        for v in acc {
            t = s.add_f32s(t, v);
        }
        println!("lanes {}", S::F32_LANES);
        s.reduce_sum_f32s(t) * S::F32_LANES as f32
    }
}
fn main() {
    let n = 50_000_000u64;
    let t = Instant::now();
    let r = pulp::Arch::new().dispatch(Op { n });
    let s = t.elapsed().as_secs_f64();
    println!("{r} {:.1} GFMA/s", n as f64 * 12.0 * 16.0 / s / 1e9);
}
