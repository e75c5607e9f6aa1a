// Runs a sketch for as many rows as the models of the test have.
#include <Arduino.h>

Output Serial;

int main() {
    setup();
    for (int turn = 0; turn < 100; ++turn) {
        loop();
    }
    return 0;
}
