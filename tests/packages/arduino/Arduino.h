// Stands in for the core of an Arduino board: prints to standard output.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdio.h>

struct Output {
    void begin(unsigned long) {}
    void print(const char *text) { printf("%s", text); }
    void print(unsigned long number) { printf("%lu", number); }
    void print(float number, int digits) { printf("%.*f", digits, static_cast<double>(number)); }
    void println(const char *text = "") { printf("%s\n", text); }
};
extern Output Serial;
inline void delay(unsigned long) {}
void setup();
void loop();

#endif
