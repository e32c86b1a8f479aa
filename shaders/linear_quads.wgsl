// activation(x Wᵀ + b) + residual, with the four invocations of a quad sharing what they read of x.
// input: (rows, K)
//
// Each invocation keeps a tile of 8 rows × 8 outputs in registers. A quad works on the same rows: each of its four
// invocations reads one of four inputs, and swapping brings it the other three, in an order of its own, 0 1 2 3 by
// exclusive or with its number. The weights lie in that order already (`packing.rs`), so nothing is moved about; a
// read costs a software adapter thirty multiplications, a swap one.

const ROWS: u32 = 8;
const LANES: u32 = 16;

// How many times 8 rows a workgroup computes.
override GROUPS: u32 = 4;

@group(0) @binding(1) var<storage, read> input: array<f32>;

// In one dimension: only there do drivers agree that a quad is four in a row.
@compute @workgroup_size(LANES * GROUPS)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let lane = local % LANES;
    let left = workgroup.x * 2 * LANES + lane;
    let right = left + LANES;
    let row = (workgroup.y * GROUPS + local / LANES) * ROWS;
    let inputs = params.inputs;
    let stride = inputs * 4;
    let groups = inputs / GROUP_TILES;
    // Nobody may leave a quad, so who has no tile works on the last one, and keeps the result to itself.
    let last = params.output_tiles - 1;
    let left_row = params.first_weight_tile + min(left, last);
    let right_row = params.first_weight_tile + min(right, last);

    var left0 = vec4<f32>(0.0);
    var left1 = vec4<f32>(0.0);
    var left2 = vec4<f32>(0.0);
    var left3 = vec4<f32>(0.0);
    var left4 = vec4<f32>(0.0);
    var left5 = vec4<f32>(0.0);
    var left6 = vec4<f32>(0.0);
    var left7 = vec4<f32>(0.0);
    var right0 = vec4<f32>(0.0);
    var right1 = vec4<f32>(0.0);
    var right2 = vec4<f32>(0.0);
    var right3 = vec4<f32>(0.0);
    var right4 = vec4<f32>(0.0);
    var right5 = vec4<f32>(0.0);
    var right6 = vec4<f32>(0.0);
    var right7 = vec4<f32>(0.0);
    var x = row * stride + local % 4;
    var left_weight = left_row * inputs;
    var right_weight = right_row * inputs;
    for (var group = 0u; group < groups; group++) {
        let left_scale = group_scales(left_row * groups + group);
        let right_scale = group_scales(right_row * groups + group);
        for (var step = 0u; step < GROUP_TILES; step++) {
            let x0 = quad(input[x]);
            let x1 = quad(input[x + stride]);
            let x2 = quad(input[x + 2 * stride]);
            let x3 = quad(input[x + 3 * stride]);
            let x4 = quad(input[x + 4 * stride]);
            let x5 = quad(input[x + 5 * stride]);
            let x6 = quad(input[x + 6 * stride]);
            let x7 = quad(input[x + 7 * stride]);
            let wl = weight_tile(left_weight, left_scale);
            left0 += x0 * wl;
            left1 += x1 * wl;
            left2 += x2 * wl;
            left3 += x3 * wl;
            left4 += x4 * wl;
            left5 += x5 * wl;
            left6 += x6 * wl;
            left7 += x7 * wl;
            let wr = weight_tile(right_weight, right_scale);
            right0 += x0 * wr;
            right1 += x1 * wr;
            right2 += x2 * wr;
            right3 += x3 * wr;
            right4 += x4 * wr;
            right5 += x5 * wr;
            right6 += x6 * wr;
            right7 += x7 * wr;
            x += 4;
            left_weight += 1;
            right_weight += 1;
        }
    }
    if left <= last {
        store_rows(row, left, left0, left1, left2, left3, left4, left5, left6, left7);
    }
    if right <= last {
        store_rows(row, right, right0, right1, right2, right3, right4, right5, right6, right7);
    }
}
