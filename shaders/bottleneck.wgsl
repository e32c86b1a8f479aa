// An adapter's two dense layers in one kernel: up(activation(down(x))) + residual, 4 rows a workgroup.
// The bottleneck stays in workgroup memory; the scaling is multiplied into `up` and `up_bias` already.
// Weights are f32 in tiles of 4 outputs × 4 inputs, 4 vectors a tile, one an output.
// input, residual, output: (rows, H / 4), down: (WIDTH / 4, H / 4, 4), up: (H / 4, WIDTH / 4, 4)

struct BottleneckParams {
    hidden: u32,
    rows: u32,
}

// The bottleneck's width, padded with zeros to a multiple of 4.
override WIDTH: u32 = 48;
override HAS_RESIDUAL: bool = false;

const ROWS: u32 = 4;
const WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: BottleneckParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> down: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> down_bias: array<f32>;
@group(0) @binding(4) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> up_bias: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>;

// One entry for each unit of the bottleneck, one component for each of the 4 rows.
var<workgroup> units: array<vec4<f32>, WIDTH>;

fn store(row: u32, tile: u32, sum: vec4<f32>) {
    let at = row * (params.hidden / 4) + tile;
    var y = sum + up_bias[tile];
    if HAS_RESIDUAL {
        y += residual[at];
    }
    output[at] = y;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup.x * ROWS;
    let columns = params.hidden / 4;

    for (var unit = local; unit < WIDTH; unit += WORKGROUP) {
        var sum = vec4<f32>(0.0);
        var x = row * columns;
        var weight = (unit / 4) * columns * 4 + unit % 4;
        for (var column = 0u; column < columns; column++) {
            let w = down[weight];
            sum += vec4<f32>(
                dot(input[x], w),
                dot(input[x + columns], w),
                dot(input[x + 2 * columns], w),
                dot(input[x + 3 * columns], w),
            );
            x += 1;
            weight += 4;
        }
        units[unit] = activate(sum + down_bias[unit]);
    }
    workgroupBarrier();

    for (var tile = local; tile < columns; tile += WORKGROUP) {
        var sum0 = vec4<f32>(0.0);
        var sum1 = vec4<f32>(0.0);
        var sum2 = vec4<f32>(0.0);
        var sum3 = vec4<f32>(0.0);
        var weight = tile * WIDTH;
        for (var unit = 0u; unit < WIDTH; unit += 4) {
            // Columns are units, components are rows of activations.
            let four = mat4x4<f32>(units[unit], units[unit + 1], units[unit + 2], units[unit + 3]);
            sum0 += four * up[weight];
            sum1 += four * up[weight + 1];
            sum2 += four * up[weight + 2];
            sum3 += four * up[weight + 3];
            weight += 4;
        }
        let rows = transpose(mat4x4<f32>(sum0, sum1, sum2, sum3));
        store(row, tile, rows[0]);
        store(row + 1, tile, rows[1]);
        store(row + 2, tile, rows[2]);
        store(row + 3, tile, rows[3]);
    }
}
