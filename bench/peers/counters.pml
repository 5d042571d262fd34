/* Six processes that count modulo ten, side by side: 1,000,000 states. The same: counters.spec. */
#define N 10
byte x[6];
active [6] proctype counter() {
    do
    :: atomic { x[_pid] = (x[_pid] + 1) % N }
    od
}
