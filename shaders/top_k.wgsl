// The largest values of each row, the largest first and the first of equal ones; one row a workgroup.
// input: (D, width); output: (D, 2 count): the values, then their columns as numbers.

struct TopKParams {
    // Of a row.
    width: u32,
    // How many values of a row count, from the first on; at least `count`.
    columns: u32,
    count: u32,
}

const LANES: u32 = 64;
// Below everything that is finite.
const NOTHING: f32 = -3.4028234e38;

@group(0) @binding(0) var<uniform> params: TopKParams;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

var<workgroup> values: array<f32, LANES>;
var<workgroup> places: array<u32, LANES>;

// Whether a value at a column comes before another one.
fn precedes(value: f32, column: u32, other: f32, other_column: u32) -> bool {
    return value > other || (value == other && column < other_column);
}

// Each round finds the first of those that come after what the last round found. So nothing is marked or moved, and the
// rows stay as they are.
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup.x * params.width;
    var last_value = -NOTHING;
    var last_column = 0u;
    for (var round = 0u; round < params.count; round++) {
        var value = NOTHING;
        var column = params.columns;
        for (var other = local; other < params.columns; other += LANES) {
            let candidate = input[row + other];
            let is_left = round == 0u || precedes(last_value, last_column, candidate, other);
            if is_left && precedes(candidate, other, value, column) {
                value = candidate;
                column = other;
            }
        }
        values[local] = value;
        places[local] = column;
        workgroupBarrier();
        for (var half = LANES / 2; half > 0; half /= 2) {
            if local < half && precedes(values[local + half], places[local + half], values[local], places[local]) {
                values[local] = values[local + half];
                places[local] = places[local + half];
            }
            workgroupBarrier();
        }
        last_value = values[0];
        last_column = places[0];
        if local == 0 {
            let first = workgroup.x * 2 * params.count;
            output[first + round] = last_value;
            output[first + params.count + round] = f32(last_column);
        }
        // Nobody may overwrite what was found before everybody has read it.
        workgroupBarrier();
    }
}
