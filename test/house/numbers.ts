// Which numbered requirements the specification has, for the tests that hold citations against it:
// the specification itself is not part of the repository.

type Ranges = readonly (readonly [first: number, last: number])[];

/** First and last number of each run, by prefix. */
const RANGES: Readonly<Record<string, Ranges>> = {
  ACT: [[1, 223]],
  AS: [[1, 200]],
  // biome-ignore format: a list of numbers
  CP: [
    [1, 11], [20, 28], [40, 46], [60, 65], [80, 90], [100, 115], [120, 129], [140, 148], [160, 166],
    [170, 170], [175, 176], [185, 185], [190, 195], [200, 208], [210, 215], [221, 222], [260, 260],
    [270, 270], [275, 275], [280, 281], [300, 303], [305, 312], [320, 324], [345, 350], [352, 352],
    [360, 368], [370, 374], [390, 390], [410, 412], [415, 415], [420, 420], [430, 430], [450, 450],
    [455, 455], [460, 464], [480, 486], [510, 518], [530, 535], [600, 610],
  ],
  // biome-ignore format: a list of numbers
  ING: [
    [1, 5], [10, 24], [30, 34], [40, 45], [50, 55], [60, 63], [70, 74], [80, 87], [90, 96],
    [100, 108], [120, 124],
  ],
  // biome-ignore format: a list of numbers
  KN: [
    [1, 5], [20, 26], [40, 45], [60, 65], [80, 84], [100, 103], [110, 115], [120, 124], [130, 131],
    [135, 136], [140, 144], [150, 160], [170, 178], [190, 195], [200, 206], [210, 212], [230, 235],
    [240, 244], [260, 261], [270, 272], [280, 283],
  ],
  QP: [[1, 172]],
  // biome-ignore format: a list of numbers
  RC: [
    [1, 5], [10, 16], [20, 25], [30, 37], [40, 42], [60, 66], [68, 77], [80, 84], [90, 96],
    [98, 98], [100, 102], [110, 115], [120, 121],
  ],
  // biome-ignore format: a list of numbers
  WH: [
    [1, 4], [10, 12], [15, 24], [30, 37], [40, 42], [50, 56], [60, 68], [70, 77], [80, 87],
    [90, 92], [100, 101], [110, 110], [120, 126], [130, 135], [140, 141], [150, 150], [160, 163],
    [170, 172], [180, 181], [190, 191],
  ],
};

/** All numbers of a prefix, ascending; none if there is no such prefix. */
export function numbersOf(prefix: string): number[] {
  return (RANGES[prefix] ?? []).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
}
