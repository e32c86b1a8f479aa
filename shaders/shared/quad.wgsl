// What the four invocations of a quad hold: component j is that of the invocation whose number in the quad is the own
// one, exclusive or j.

fn quad(x: f32) -> vec4<f32> {
    return vec4<f32>(x, quadSwapX(x), quadSwapY(x), quadSwapDiagonal(x));
}
