// Scores rows of the model `@NAME@`: checks the table, tests the core, then prints a line per row.
#include <@NAME@.h>

static surprisal_table table;
static surprisal_status status;
#ifdef @UPPER@_WINDOW
static int32_t ring[@UPPER@_CHANNELS * @UPPER@_WINDOW];
static surprisal_stream stream;
#endif

// Writes the readings of a row, and returns false after the last one. These rows come from the model; on your machine, fill a
// @NAME@_row from the sensors.
static bool read_row(unsigned at, surprisal_reading *readings) {
@ROWS@
}

static void print_row(surprisal_reading *readings, const surprisal_score *score) {
    const bool is_anomalous = surprisal_is_anomalous(&table, score->anomaly);
    surprisal_blamed blamed;
    Serial.print(is_anomalous ? "anomalous: " : "normal: ");
    Serial.print((float)score->nats / 65536.0f, 3);
    Serial.print(" nats, p-value ");
    Serial.print((unsigned long)surprisal_p_value_ppm(&table, score->anomaly));
    Serial.print(" ppm");
    if (is_anomalous && surprisal_blame(&table, readings, @UPPER@_READINGS, &blamed) == SURPRISAL_OK) {
        Serial.print("; column ");
        Serial.print(@NAME@_columns[blamed.column]);
        Serial.print(" is to blame");
    }
    Serial.println();
}

void setup() {
    Serial.begin(115200);
    status = surprisal_open(&table, @NAME@_table, sizeof @NAME@_table, @UPPER@_FINGERPRINT);
#ifdef @UPPER@_WINDOW
    if (status == SURPRISAL_OK) {
        status = surprisal_stream_init(&stream, &table, ring, @UPPER@_CHANNELS * @UPPER@_WINDOW);
    }
#endif
    if (status == SURPRISAL_OK) {
        status = surprisal_self_test(&table);
    }
    Serial.println(status == SURPRISAL_OK ? "self-test passed" : surprisal_message(status));
}

void loop() {
    static unsigned at = 0;
    surprisal_reading readings[@UPPER@_READINGS];
    surprisal_score score;
    bool ready = true;
    if (status != SURPRISAL_OK || !read_row(at, readings)) {
        return;
    }
    ++at;
#ifdef @UPPER@_WINDOW
    status = surprisal_stream_push(&stream, &table, readings, @UPPER@_READINGS, &ready);
#endif
    if (status == SURPRISAL_OK && ready) {
        status = surprisal_score_row(&table, readings, @UPPER@_READINGS, &score);
        if (status == SURPRISAL_OK) {
            print_row(readings, &score);
        }
    }
    if (status != SURPRISAL_OK) {
        Serial.println(surprisal_message(status));
    }
    delay(100);
}
