/* A double of CUDA's runtime library for tests: no CUDA. "Device" memory is the host's.
 *
 * What is put on a stream is done when the stream is synchronised and not before, so that whoever reads too early reads
 * what was there. Every call is written down, every address checked, and any call can be made to fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID_VALUE = 1, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901 };
enum { TO_DEVICE = 1, TO_HOST = 2 };

typedef struct { void *to; const void *from; size_t size; void (*call)(int); int number; } Op;
typedef struct { Op *ops; int count, room; } Ops;
typedef struct { Ops queue, captured; int capturing; } Stream;
typedef struct { char *at; size_t size; char kind; } Piece;

static char *noted; static size_t noted_size, noted_room;
static Piece pieces[4096];
static int live[256], failing_code, failing_count;
static char failing[64];
static Stream *streams[64];

void double_note(const char *text) {
    size_t more = strlen(text) + 1;
    if (noted_size + more + 1 > noted_room) noted = realloc(noted, noted_room = 2 * (noted_size + more) + 4096);
    memcpy(noted + noted_size, text, more - 1);
    noted[noted_size + more - 1] = '\n';
    noted[noted_size += more] = 0;
}
const char *double_noted(void) { return noted ? noted : ""; }
int double_live(char kind) { return live[(unsigned char)kind]; }

void double_reset(void) {
    noted_size = 0; if (noted) *noted = 0;
    memset(pieces, 0, sizeof pieces); memset(live, 0, sizeof live); memset(streams, 0, sizeof streams);
    failing[0] = 0;
}
/* The call of `name` after `before` others answers `code`. */
void double_fail(const char *name, int before, int code) {
    snprintf(failing, sizeof failing, "%s", name); failing_count = before; failing_code = code;
}
static int entered(const char *name) {
    double_note(name);
    if (strcmp(name, failing) || failing_count-- > 0) return OK;
    failing[0] = 0;
    return failing_code;
}
#define ENTER int failed = entered(__func__); if (failed) return failed
static int fault(const char *text) { double_note(text); return INVALID_VALUE; }

static int make(void **out, size_t size, char kind) {
    for (int i = 0; i < 4096; i++) if (!pieces[i].at) {
        pieces[i] = (Piece){malloc(size), size, kind}; live[(unsigned char)kind]++;
        memset(pieces[i].at, 0x5a, size); /* nobody promises zeros */
        *out = pieces[i].at;
        return OK;
    }
    return 2;
}
static int pending(void) {
    for (int i = 0; i < 64; i++) if (streams[i] && streams[i]->queue.count) return 1;
    return 0;
}
static int release(void *at, char kind) {
    if (pending()) return fault("FAULT: freed while the stream still works on it");
    for (int i = 0; i < 4096; i++) if (at && pieces[i].at == at && pieces[i].kind == kind) {
        live[(unsigned char)kind]--;
        memset(at, 0xa5, pieces[i].size); free(at); pieces[i].at = NULL;
        return OK;
    }
    return fault("FAULT: freed what was not allocated");
}
static int holds(const void *at, size_t size, char kind) {
    for (int i = 0; i < 4096; i++)
        if (pieces[i].at && pieces[i].kind == kind && (char *)at >= pieces[i].at && (char *)at + size <= pieces[i].at + pieces[i].size)
            return 1;
    return 0;
}
int double_holds(const void *at, size_t size, char kind) { return holds(at, size, kind); }

static void push(Ops *ops, Op op) {
    if (ops->count == ops->room) ops->ops = realloc(ops->ops, (ops->room = 2 * ops->room + 8) * sizeof(Op));
    ops->ops[ops->count++] = op;
}
static void enqueue(Stream *stream, Op op) { push(stream->capturing ? &stream->captured : &stream->queue, op); }
void double_enqueue(Stream *stream, void (*call)(int), int number) { enqueue(stream, (Op){.call = call, .number = number}); }
int double_capturing(Stream *stream) { return stream->capturing; }

int cudaMalloc(void **out, size_t size) { ENTER; return make(out, size, 'd'); }
int cudaFree(void *at) { ENTER; return release(at, 'd'); }
int cudaMallocHost(void **out, size_t size) { ENTER; return make(out, size, 'h'); }
int cudaFreeHost(void *at) { ENTER; return release(at, 'h'); }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int way, Stream *stream) {
    ENTER;
    char here = way == TO_DEVICE ? 'd' : 'h', there = way == TO_DEVICE ? 'h' : 'd';
    if (!holds(to, size, here) || !holds(from, size, there)) return fault("FAULT: copied beyond what was allocated");
    enqueue(stream, (Op){to, from, size, NULL, 0});
    return OK;
}
int cudaStreamCreateWithFlags(Stream **out, unsigned flags) {
    ENTER;
    for (int i = 0; i < 64; i++) if (!streams[i]) { *out = streams[i] = calloc(1, sizeof(Stream)); live['s']++; return OK; }
    return 2;
}
int cudaStreamDestroy(Stream *stream) {
    ENTER;
    for (int i = 0; i < 64; i++) if (streams[i] == stream) { streams[i] = NULL; live['s']--; return OK; }
    return fault("FAULT: destroyed what is no stream");
}
int cudaStreamSynchronize(Stream *stream) {
    int failed = entered(__func__);
    if (failed) { stream->queue.count = 0; return failed; } /* what was to be done never will be */
    if (stream->capturing) return CAPTURE_UNSUPPORTED;
    for (int i = 0; i < stream->queue.count; i++) {
        Op op = stream->queue.ops[i];
        if (op.call) op.call(op.number); else memcpy(op.to, op.from, op.size);
    }
    stream->queue.count = 0;
    return OK;
}
int cudaStreamBeginCapture(Stream *stream, int mode) {
    ENTER;
    if (stream->queue.count) return fault("FAULT: captured while the stream works");
    stream->capturing = 1; stream->captured = (Ops){0};
    return OK;
}
int cudaStreamEndCapture(Stream *stream, Ops **out) {
    stream->capturing = 0; /* it ends, whatever is answered */
    ENTER;
    Ops *graph = malloc(sizeof(Ops)); *graph = stream->captured; live['g']++;
    *out = graph;
    return OK;
}
int cudaGraphInstantiateWithFlags(Ops **out, Ops *graph, unsigned long long flags) {
    ENTER;
    Ops *copy = calloc(1, sizeof(Ops));
    for (int i = 0; i < graph->count; i++) push(copy, graph->ops[i]);
    live['x']++; *out = copy;
    return OK;
}
int cudaGraphLaunch(Ops *graph, Stream *stream) {
    ENTER;
    for (int i = 0; i < graph->count; i++) enqueue(stream, graph->ops[i]);
    return OK;
}
int cudaGraphDestroy(Ops *graph) { ENTER; live['g']--; free(graph); return OK; }
int cudaGraphExecDestroy(Ops *graph) { ENTER; live['x']--; free(graph); return OK; }
int cudaGetLastError(void) { return OK; }
const char *cudaGetErrorName(int code) { return code == 2 ? "cudaErrorMemoryAllocation" : "cudaErrorOfTheDouble"; }
const char *cudaGetErrorString(int code) { return code == 2 ? "out of memory" : "as the test wants it"; }
