// activation(x Wᵀ + b) + residual, in tiles of 64 rows × 64 outputs that a workgroup brings into its own memory.
// input: (rows, K / 4)
//
// Each invocation keeps 8 rows × 8 outputs in registers. Both operands lie transposed in workgroup memory, so that a
// step along K reads two vectors of four rows and two of four outputs, and multiplies them 64 times. What is kept
// there is of type Multiplicands, f32 or f16; sums are f32.

const ROWS: u32 = 64;
const OUTPUT_TILES: u32 = 16;
const INPUT_TILES: u32 = 4;
const INPUTS: u32 = 16;
// Vectors in a row of either operand: 16 and one more, so that transposing meets other memory banks.
const STRIDE: u32 = 17;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

// (INPUTS, 4 rows each) and (INPUTS, 4 outputs each)
var<workgroup> xs: array<Multiplicands, INPUTS * STRIDE>;
var<workgroup> ws: array<Multiplicands, INPUTS * STRIDE>;

@compute @workgroup_size(64)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let inputs = params.inputs;
    let groups = inputs / GROUP_TILES;
    let first_row = workgroup.y * ROWS;
    let first_tile = workgroup.x * OUTPUT_TILES;
    let last_tile = params.output_tiles - 1;
    // Whose weights this invocation brings, and which inputs of them.
    let brought_row = params.first_weight_tile + min(first_tile + local / INPUT_TILES, last_tile);
    let brought_inputs = local % INPUT_TILES;
    // What it multiplies: 8 rows and 8 outputs.
    let x_at = local / 8 * 2;
    let w_at = local % 8 * 2;

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
    for (var step = 0u; step < inputs; step += INPUT_TILES) {
        let scale = group_scales(brought_row * groups + (step + brought_inputs) / GROUP_TILES);
        let brought = transpose(weight_tile(brought_row * inputs + step + brought_inputs, scale));
        for (var i = 0u; i < 4; i++) {
            ws[(brought_inputs * 4 + i) * STRIDE + local / INPUT_TILES] = multiplicands(brought[i]);
        }
        // Whole vectors, since a write to one component may touch the others.
        let x = (first_row + local / INPUT_TILES * 4) * inputs + step + brought_inputs;
        let rows = transpose(mat4x4<f32>(
            input[x],
            input[x + inputs],
            input[x + 2 * inputs],
            input[x + 3 * inputs],
        ));
        for (var i = 0u; i < 4; i++) {
            xs[(brought_inputs * 4 + i) * STRIDE + local / INPUT_TILES] = multiplicands(rows[i]);
        }
        workgroupBarrier();
        for (var k = 0u; k < INPUTS; k++) {
            let x = vec4<f32>(xs[k * STRIDE + x_at]);
            let y = vec4<f32>(xs[k * STRIDE + x_at + 1]);
            let left = vec4<f32>(ws[k * STRIDE + w_at]);
            let right = vec4<f32>(ws[k * STRIDE + w_at + 1]);
            left0 += left * x.x;
            right0 += right * x.x;
            left1 += left * x.y;
            right1 += right * x.y;
            left2 += left * x.z;
            right2 += right * x.z;
            left3 += left * x.w;
            right3 += right * x.w;
            left4 += left * y.x;
            right4 += right * y.x;
            left5 += left * y.y;
            right5 += right * y.y;
            left6 += left * y.z;
            right6 += right * y.z;
            left7 += left * y.w;
            right7 += right * y.w;
        }
        workgroupBarrier();
    }

    let row = first_row + local / 8 * 8;
    let left = first_tile + w_at;
    let right = left + 1;
    if left <= last_tile {
        store_rows(row, left, left0, left1, left2, left3, left4, left5, left6, left7);
    }
    if right <= last_tile {
        store_rows(row, right, right0, right1, right2, right3, right4, right5, right6, right7);
    }
}
