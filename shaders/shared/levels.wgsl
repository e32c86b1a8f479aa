// The 16 levels of q4, denser around zero as weights are: a quant t from -8 to 7 stands for t (t² + 110) units.

const LEVEL_UNIT: f32 = 1.0 / 1024.0;

// Levels of the 4 quants in the lower half of a word, the first in the lowest bits.
fn four_levels(bits: u32) -> vec4<f32> {
    let quants = (vec4<u32>(bits) >> vec4<u32>(0, 4, 8, 12)) & vec4<u32>(15);
    let t = vec4<f32>(quants) - 8.0;
    return t * (t * t + 110.0);
}
