// Sums over the invocations that work on a row: the four of a quad. Nobody waits at a barrier, which a software adapter
// pays for with hundreds of instructions.

const LANES: u32 = 4;
// How many rows a workgroup computes.
const ROWS: u32 = 4;

// The sum of everybody's `value`, for everybody. All invocations must come here together.
fn sum_of_lanes(lane: u32, value: f32) -> f32 {
    let pair = value + quadSwapX(value);
    return pair + quadSwapY(pair);
}
