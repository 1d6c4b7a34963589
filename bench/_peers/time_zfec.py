"""Times zfec. Reads lines of JSON: first the shape, then work to do; answers each with a line. Time is taken inside."""
import json
import os
import sys
import time

import zfec

shape = json.loads(sys.stdin.readline())
k, m, size, lost = shape["data"], shape["parity"], shape["symbolSize"], shape["lost"]
encoder, decoder = zfec.Encoder(k, k + m), zfec.Decoder(k, k + m)
symbols = tuple(os.urandom(size) for _ in range(k))
numbers = tuple(range(k, k + m))
parity = encoder.encode(symbols, numbers)
# What is not missing stands at its own place, as zfec likes it best.
have = tuple(parity[lost.index(i)] if i in lost else symbols[i] for i in range(k))
indexes = tuple(k + lost.index(i) if i in lost else i for i in range(k))
assert tuple(decoder.decode(have, indexes)) == symbols
print(json.dumps(zfec.__version__), flush=True)

for line in sys.stdin:
    work, times = json.loads(line)
    started = time.perf_counter()
    for _ in range(times):
        if work == "encode":
            encoder.encode(symbols, numbers)
        else:
            decoder.decode(have, indexes)
    print(json.dumps((time.perf_counter() - started) * 1e6), flush=True)
