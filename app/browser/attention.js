// The maps of the heads as they are shown: fer/results/explanation.py and fer/visualization/attention.py. A map is an
// array of rows.

// The smallest value becomes 0, the largest 1.
function scaleToUnit(map) {
  const low = Math.min(...map.flat()), range = Math.max(Math.max(...map.flat()) - low, 1e-9);
  return map.map((row) => row.map((weight) => (weight - low) / range));
}

// The mean of the heads' maps, each scaled to 0 to 1.
function fuse(maps) {
  const scaled = maps.map(scaleToUnit);
  return maps[0].map((row, y) => row.map((_, x) => scaled.reduce((sum, map) => sum + map[y][x], 0) / maps.length));
}

// In another resolution, interpolated between the centres of the cells; `grid` is that of the checkpoint.
function spread(map, side, grid) {
  const cells = map.length, [first, step] = grid.length ? grid : [0.5 / cells, 1 / cells];
  const places = Array.from({ length: side }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) / side - first) / step, 0), cells - 1), low = Math.floor(place);
    return [low, Math.min(low + 1, cells - 1), place - low];
  });
  const between = (a, b, t) => a + t * (b - a);
  return places.map(([top, bottom, v]) =>
    places.map(([left, right, u]) =>
      between(between(map[top][left], map[top][right], u), between(map[bottom][left], map[bottom][right], u), v),
    ),
  );
}

// All heads together, then each head: weights from 0 to 1, in twice the resolution of the network's maps.
export function toMaps(maps, grid) {
  const round = (map) => map.map((row) => row.map((weight) => Math.round(100 * weight) / 100));
  return [fuse(maps), ...maps].map((map) => round(scaleToUnit(spread(map, 2 * map.length, grid))));
}
