// activation(x Wᵀ + b) + residual for few rows, whose inputs are split among the invocations of a workgroup.
// input: (rows, K / 4)
//
// A workgroup computes 8 rows × 4 outputs: each of its invocations takes every 64th tile of weights, so that neighbours read
// neighbouring tiles and a single row has as many invocations at work as the device has room for. Their sums are added up in
// workgroup memory.

const ROWS: u32 = 8;
const LANES: u32 = 64;
// As many invocations add up a row.
const ADDERS: u32 = LANES / ROWS;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

// (ROWS, LANES)
var<workgroup> sums: array<vec4<f32>, ROWS * LANES>;

@compute @workgroup_size(64)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let inputs = params.inputs;
    let groups = inputs / GROUP_TILES;
    let tile = workgroup.x;
    let row = workgroup.y * ROWS;
    let weight_row = params.first_weight_tile + tile;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    var sum4 = vec4<f32>(0.0);
    var sum5 = vec4<f32>(0.0);
    var sum6 = vec4<f32>(0.0);
    var sum7 = vec4<f32>(0.0);
    for (var step = local; step < inputs; step += LANES) {
        let w = weight_tile(weight_row * inputs + step, group_scales(weight_row * groups + step / GROUP_TILES));
        let x = row * inputs + step;
        sum0 += input[x] * w;
        sum1 += input[x + inputs] * w;
        sum2 += input[x + 2 * inputs] * w;
        sum3 += input[x + 3 * inputs] * w;
        sum4 += input[x + 4 * inputs] * w;
        sum5 += input[x + 5 * inputs] * w;
        sum6 += input[x + 6 * inputs] * w;
        sum7 += input[x + 7 * inputs] * w;
    }
    sums[local] = sum0;
    sums[LANES + local] = sum1;
    sums[2 * LANES + local] = sum2;
    sums[3 * LANES + local] = sum3;
    sums[4 * LANES + local] = sum4;
    sums[5 * LANES + local] = sum5;
    sums[6 * LANES + local] = sum6;
    sums[7 * LANES + local] = sum7;
    workgroupBarrier();

    // Nobody else reads or writes every eighth sum of a row.
    let own = local / ADDERS * LANES + local % ADDERS;
    var sum = sums[own];
    for (var i = ADDERS; i < LANES; i += ADDERS) {
        sum += sums[own + i];
    }
    sums[own] = sum;
    workgroupBarrier();

    if local < ROWS {
        var total = sums[local * LANES];
        for (var i = 1u; i < ADDERS; i++) {
            total += sums[local * LANES + i];
        }
        store(row + local, tile, total);
    }
}
