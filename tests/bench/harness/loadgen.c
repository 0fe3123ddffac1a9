/*
 * loadgen - closed- or open-loop HTTP/1.1 load for chat completions and messages, JSON and SSE.
 *
 * One epoll loop, keep-alive connections, every sample kept (exact percentiles).
 * Reports for the measurement window: requests, events (SSE "data:" lines), time
 * to the first body byte, total latency, status codes, broken answers.
 *
 *   loadgen --url http://127.0.0.1:8000/v1/chat/completions [--key sk-..]
 *           [--header 'name: value']... [--model fake] [--stream] [--usage]
 *           [--prompt-bytes 400] [--body-file f] [--method POST]
 *           [--connections 32] [--duration 5] [--warmup 1] [--ramp-us 200]
 *           [--rate R]      open loop: R requests/s on a fixed schedule, latency
 *                           counted from the scheduled time (no coordinated omission)
 *           [--events N]    an answer with another number of data events is broken
 *           [--timeout 60]
 *           [--finish S]    after the window let answers under way end, S seconds at most;
 *                           "answered" then counts every good answer since the start
 *
 * Prints the lines "window-start" and "window-end" when the window opens and
 * closes (so that a caller can sample CPU time there) and then one line of JSON.
 *
 * Build: cc -O2 -Wall -o loadgen loadgen.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLOSED, CONNECTING, IDLE, HEAD, BODY };
enum { B_LENGTH, B_CHUNKED, B_EOF };
enum { C_SIZE, C_DATA, C_CRLF, C_TRAILER };

/* how much of a line tells what it is: the longest is "event: message_stop" */
#define LINE 19

typedef struct {
    int fd, state, body_mode, chunk_state, status, close_after, trailer_len, used, mask;
    size_t sent;
    char head[16384];
    size_t head_len;
    uint64_t body_left;
    uint64_t t_start, t_first;
    uint64_t body_bytes;
    uint32_t events;
    int line_pos, line_is_data, done_seen;   /* SSE line scanner */
    char line[LINE];
} conn_t;

typedef struct { uint32_t *v; size_t n, cap; } samples_t;
static void add(samples_t *s, uint64_t ns) {
    if (s->n == s->cap) s->v = realloc(s->v, (s->cap = s->cap ? s->cap * 2 : 1 << 16) * sizeof *s->v);
    uint64_t us10 = ns / 100;                  /* unit: 0.1 microsecond */
    s->v[s->n++] = us10 > UINT32_MAX ? UINT32_MAX : us10;
}
static int cmp(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int EP, in_window, stream, want_events = -1;
static struct sockaddr_in addr;
static char *req;
static size_t req_len;
static uint64_t timeout_ns = 60000000000ull;
static samples_t lat, ttfb;
static uint64_t n_answered, n_ok, n_events, n_bytes, n_status[6], n_broken, n_connect_err, n_reset, n_timeout, n_reconnect, n_reads;
static int last_bad_status;
static char bad_sample[512];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void mask(conn_t *c, int m) {
    if (c->mask == m) return;
    struct epoll_event e = {.events = m, .data.ptr = c};
    epoll_ctl(EP, EPOLL_CTL_MOD, c->fd, &e);
    c->mask = m;
}
static void drop(conn_t *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->state = CLOSED;
}
static void open_conn(conn_t *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int r = connect(c->fd, (void *)&addr, sizeof addr);
    if (r && errno != EINPROGRESS) {
        n_connect_err++;
        drop(c);
        return;
    }
    if (c->used) n_reconnect++;
    c->used = 1;
    c->state = CONNECTING;
    c->mask = EPOLLOUT;
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(EP, EPOLL_CTL_ADD, c->fd, &e);
}
static int push(conn_t *c) {
    while (c->sent < req_len) {
        ssize_t w = send(c->fd, req + c->sent, req_len - c->sent, MSG_NOSIGNAL);
        if (w < 0) {
            if (errno == EAGAIN) {
                mask(c, EPOLLIN | EPOLLOUT);
                return 0;
            }
            return -1;
        }
        c->sent += w;
    }
    mask(c, EPOLLIN);
    return 0;
}
static void start(conn_t *c, uint64_t t) {
    c->state = HEAD;
    c->sent = c->head_len = 0;
    c->t_start = t;
    c->t_first = 0;
    c->events = c->body_bytes = 0;
    c->line_pos = c->line_is_data = c->done_seen = 0;
    if (push(c) < 0) {
        if (in_window) n_reset++;
        drop(c);
    }
}
/* count lines that start with "data:"; remember "data: [DONE]" and "event: message_stop" */
static void scan(conn_t *c, const char *p, size_t n) {
    const char *e = p + n;
    c->body_bytes += n;
    if (!c->t_first && n) c->t_first = now_ns();
    if (!stream) return;
    while (p < e) {
        if (c->line_pos < LINE) {
            while (p < e && c->line_pos < LINE && *p != '\n') c->line[c->line_pos++] = *p++;
            if (c->line_pos == LINE || (p < e && *p == '\n')) {
                if (c->line_pos == LINE && !memcmp(c->line, "event: message_stop", LINE)) c->done_seen = 1;
                if (c->line_pos >= 5 && !memcmp(c->line, "data:", 5)) {
                    int o = c->line[5] == ' ' ? 6 : 5;
                    if (c->line_pos >= o + 6 && !memcmp(c->line + o, "[DONE]", 6)) c->done_seen = 1;
                    else {
                        c->events++;
                        if (in_window) n_events++;
                    }
                }
                if (p < e && *p == '\n') {
                    p++;
                    c->line_pos = 0;
                } else c->line_pos = LINE + 1;
                continue;
            }
            return;
        }
        const char *nl = memchr(p, '\n', e - p);
        if (!nl) return;
        p = nl + 1;
        c->line_pos = 0;
    }
}
static void finish(conn_t *c) {
    uint64_t t = now_ns();
    int ok = c->status >= 200 && c->status < 300;
    if (ok && stream && (!c->done_seen || (want_events >= 0 && (int)c->events != want_events))) {
        ok = 0;
        if (in_window) n_broken++;
        if (!bad_sample[0]) snprintf(bad_sample, sizeof bad_sample, "events=%u done=%d", c->events, c->done_seen);
    }
    n_answered += ok;
    if (in_window) {
        n_status[c->status / 100 < 6 ? c->status / 100 : 0]++;
        if (ok) {
            n_ok++;
            n_bytes += c->body_bytes;
            add(&lat, t - c->t_start);
            add(&ttfb, (c->t_first ? c->t_first : t) - c->t_start);
        } else last_bad_status = c->status;
    }
    if (c->close_after) drop(c);
    else c->state = IDLE;
}
/* feeds body bytes; returns bytes used, sets state IDLE/CLOSED when the answer is complete */
static void body(conn_t *c, const char *p, size_t n) {
    if (c->status >= 400 && !bad_sample[0]) snprintf(bad_sample, sizeof bad_sample, "%.*s", (int)(n < 300 ? n : 300), p);
    while (c->state == BODY) {
        if (c->body_mode == B_LENGTH) {
            size_t k = n < c->body_left ? n : c->body_left;
            scan(c, p, k);
            c->body_left -= k;
            if (!c->body_left) finish(c);
            return;
        }
        if (c->body_mode == B_EOF) {
            scan(c, p, n);
            return;
        }
        if (!n) return;
        switch (c->chunk_state) {
        case C_SIZE:
            while (n) {
                char ch = *p++;
                n--;
                if (ch == '\n') {
                    c->chunk_state = c->body_left ? C_DATA : C_TRAILER;
                    c->trailer_len = 0;
                    break;
                }
                int d = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1;
                if (d >= 0) c->body_left = c->body_left * 16 + d;
            }
            break;
        case C_DATA: {
            size_t k = n < c->body_left ? n : c->body_left;
            scan(c, p, k);
            p += k;
            n -= k;
            c->body_left -= k;
            if (!c->body_left) c->chunk_state = C_CRLF;
            break;
        }
        case C_CRLF:
            while (n) {
                n--;
                if (*p++ == '\n') {
                    c->chunk_state = C_SIZE;
                    break;
                }
            }
            break;
        case C_TRAILER:
            while (n) {
                n--;
                char ch = *p++;
                if (ch == '\n') {
                    if (!c->trailer_len) {
                        finish(c);
                        return;
                    }
                    c->trailer_len = 0;
                } else if (ch != '\r') c->trailer_len++;
            }
            break;
        }
    }
}
static void head_done(conn_t *c, char *end) {
    c->status = atoi(c->head + 9);
    c->body_mode = B_EOF;
    c->close_after = 0;
    c->body_left = 0;
    for (char *l = strchr(c->head, '\n'); l && l < end; l = strchr(l, '\n')) {
        l++;
        if (!strncasecmp(l, "content-length:", 15)) {
            c->body_mode = B_LENGTH;
            c->body_left = strtoull(l + 15, NULL, 10);
        } else if (!strncasecmp(l, "transfer-encoding:", 18)) {
            c->body_mode = B_CHUNKED;
            c->chunk_state = C_SIZE;
            c->body_left = 0;
        } else if (!strncasecmp(l, "connection:", 11)) {
            char *v = l + 11;
            while (*v == ' ') v++;
            if (!strncasecmp(v, "close", 5)) c->close_after = 1;
        }
    }
    if (c->body_mode == B_EOF) c->close_after = 1;
    c->state = BODY;
    if (c->body_mode == B_LENGTH && !c->body_left) finish(c);
}
static void on_read(conn_t *c) {
    static char buf[262144];
    ssize_t r = recv(c->fd, buf, sizeof buf, 0);
    if (r < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (r <= 0) {
        if (c->state == BODY && c->body_mode == B_EOF && r == 0) {
            finish(c);
            return;
        }
        if (c->state != IDLE && in_window) n_reset++;
        drop(c);
        return;
    }
    if (in_window) n_reads++;
    char *p = buf;
    size_t n = r;
    if (c->state == HEAD) {
        size_t k = n < sizeof c->head - 1 - c->head_len ? n : sizeof c->head - 1 - c->head_len;
        memcpy(c->head + c->head_len, p, k);
        size_t before = c->head_len;
        c->head_len += k;
        c->head[c->head_len] = 0;
        char *he = strstr(c->head, "\r\n\r\n");
        if (!he) {
            if (c->head_len == sizeof c->head - 1) drop(c);
            return;
        }
        size_t used = he + 4 - c->head - before;
        p += used;
        n -= used;
        he[2] = 0;
        head_done(c, he);
    }
    if (c->state == BODY) body(c, p, n);
}

static double pct(samples_t *s, double q) {
    if (!s->n) return 0;
    size_t i = (size_t)(q * (s->n - 1) + 0.5);
    return s->v[i] / 10.0;
}
static void print_samples(const char *name, samples_t *s) {
    qsort(s->v, s->n, sizeof *s->v, cmp);
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += s->v[i] / 10.0;
    printf("\"%s\":{\"mean\":%.1f,\"min\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
           s->n ? sum / s->n : 0, pct(s, 0), pct(s, .5), pct(s, .9), pct(s, .99), pct(s, .999), pct(s, 1));
}

int main(int argc, char **argv) {
    const char *url = NULL, *model = "fake", *method = "POST", *body_file = NULL, *key = NULL;
    char headers[8192] = "";
    int conns = 32, usage = 0, prompt_bytes = 400, o;
    double duration = 5, warmup = 1, rate = 0, ramp_us = 200, finish_s = 0;
    static struct option opts[] = {
        {"url", 1, 0, 'u'}, {"key", 1, 0, 'k'}, {"header", 1, 0, 'H'}, {"model", 1, 0, 'm'}, {"stream", 0, 0, 's'},
        {"usage", 0, 0, 'U'}, {"prompt-bytes", 1, 0, 'P'}, {"body-file", 1, 0, 'f'}, {"method", 1, 0, 'X'},
        {"connections", 1, 0, 'c'}, {"duration", 1, 0, 'd'}, {"warmup", 1, 0, 'w'}, {"ramp-us", 1, 0, 'R'},
        {"rate", 1, 0, 'r'}, {"events", 1, 0, 'e'}, {"timeout", 1, 0, 't'}, {"finish", 1, 0, 'F'}, {0, 0, 0, 0}};
    while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) switch (o) {
        case 'u': url = optarg; break;
        case 'k': key = optarg; break;
        case 'H': if (strlen(headers) + strlen(optarg) + 3 < sizeof headers) { strcat(headers, optarg); strcat(headers, "\r\n"); } break;
        case 'm': model = optarg; break;
        case 's': stream = 1; break;
        case 'U': usage = 1; break;
        case 'P': prompt_bytes = atoi(optarg); break;
        case 'f': body_file = optarg; break;
        case 'X': method = optarg; break;
        case 'c': conns = atoi(optarg); break;
        case 'd': duration = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'R': ramp_us = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'e': want_events = atoi(optarg); break;
        case 'F': finish_s = atof(optarg); break;
        case 't': timeout_ns = (uint64_t)(atof(optarg) * 1e9); break;
        default: return 2;
    }
    char host[256], path[1024] = "/";
    int port = 80;
    if (!url || (sscanf(url, "http://%255[^:/]:%d%1023s", host, &port, path) < 2 && sscanf(url, "http://%255[^/]%1023s", host, path) < 1)) {
        fprintf(stderr, "loadgen: --url http://host:port/path is needed\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
        struct hostent *h = gethostbyname(host);
        if (!h) {
            fprintf(stderr, "loadgen: cannot resolve %s\n", host);
            return 2;
        }
        memcpy(&addr.sin_addr, h->h_addr, 4);
    }

    char *bodyp;
    size_t body_len;
    if (body_file) {
        FILE *f = fopen(body_file, "rb");
        if (!f) {
            perror(body_file);
            return 2;
        }
        bodyp = malloc(16 << 20);
        body_len = fread(bodyp, 1, 16 << 20, f);
        fclose(f);
    } else if (strcmp(method, "POST")) {
        bodyp = "";
        body_len = 0;
    } else {
        static const char words[] = "Please summarise the following paragraph in one short sentence and keep every number in it. ";
        bodyp = malloc(prompt_bytes + 1024);
        body_len = sprintf(bodyp, "{\"model\": \"%s\", \"messages\": [{\"role\": \"system\", \"content\": \"You are a helpful assistant.\"}, "
                                  "{\"role\": \"user\", \"content\": \"", model);
        for (int i = 0; i < prompt_bytes; i++) bodyp[body_len++] = words[i % (sizeof words - 1)];
        body_len += sprintf(bodyp + body_len, "\"}], \"temperature\": 0.7, \"max_tokens\": 256%s%s}", stream ? ", \"stream\": true" : "",
                            usage ? ", \"stream_options\": {\"include_usage\": true}" : "");
    }
    char auth[512] = "";
    if (key) snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", key);
    req = malloc(body_len + 16384);
    req_len = sprintf(req, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: application/json\r\nUser-Agent: loadgen/1\r\n%s%s", method, path, host,
                      port, auth, headers);
    if (body_len) req_len += sprintf(req + req_len, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_len);
    req_len += sprintf(req + req_len, "\r\n");
    memcpy(req + req_len, bodyp, body_len);
    req_len += body_len;

    EP = epoll_create1(0);
    conn_t *cs = calloc(conns, sizeof *cs);
    for (int i = 0; i < conns; i++) cs[i].fd = -1;
    static struct epoll_event evs[1024];
    uint64_t t0 = now_ns(), t_ws = t0 + (uint64_t)(warmup * 1e9) + (uint64_t)(conns * ramp_us * 1e3), t_we = 0, t_in = 0;
    uint64_t gap = rate > 0 ? (uint64_t)(1e9 / rate) : 0, next_arrival = t0 + (uint64_t)(conns * ramp_us * 1e3) + 50000000ull;
    uint64_t arrivals = 0, last_sweep = t0, finish_by = 0;
    int opened = 0, rr = 0;
    for (;;) {
        uint64_t t = now_ns();
        if (!in_window && !t_we && t >= t_ws) {
            in_window = 1;
            t_in = t;
            t_we = t + (uint64_t)(duration * 1e9);
            puts("window-start");
        }
        if (in_window && t >= t_we) {
            in_window = 0;
            t_we = t;
            puts("window-end");
            if (finish_s <= 0) break;
            finish_by = t + (uint64_t)(finish_s * 1e9);
        }
        if (finish_by) {
            int busy = 0;
            for (int i = 0; i < opened; i++) busy += cs[i].state == HEAD || cs[i].state == BODY;
            if (!busy || t >= finish_by) break;
        }
        while (!finish_by && opened < conns && t >= t0 + (uint64_t)(opened * ramp_us * 1e3)) open_conn(&cs[opened++]);
        if (t - last_sweep > 5000000ull) {      /* every 5 ms: reopen, time out */
            last_sweep = t;
            for (int i = 0; i < opened; i++) {
                if (cs[i].state == CLOSED) {
                    if (!finish_by) open_conn(&cs[i]);
                } else if ((cs[i].state == HEAD || cs[i].state == BODY) && t - cs[i].t_start > timeout_ns) {
                    if (in_window) n_timeout++;
                    drop(&cs[i]);
                }
            }
        }
        if (gap && !finish_by) {
            while (t >= next_arrival) {
                int i = 0;
                while (i < opened && cs[(rr + i) % opened].state != IDLE) i++;
                if (i == opened) break;         /* all busy: it waits, and its latency counts from its time */
                conn_t *c = &cs[(rr + i) % opened];
                rr = (rr + i + 1) % opened;
                start(c, next_arrival);
                next_arrival += gap;
                arrivals++;
            }
        }
        int n = epoll_wait(EP, evs, 1024, gap ? (t + 1000000 > next_arrival ? 0 : 1) : 1);
        for (int i = 0; i < n; i++) {
            conn_t *c = evs[i].data.ptr;
            if (c->fd < 0) continue;
            if (c->state == CONNECTING) {
                int err = 0;
                socklen_t l = sizeof err;
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
                if (err) {
                    n_connect_err++;
                    drop(c);
                    continue;
                }
                c->state = IDLE;
                mask(c, EPOLLIN);
                if (!gap && !finish_by) start(c, now_ns());
                continue;
            }
            if (evs[i].events & EPOLLOUT && c->state == HEAD && push(c) < 0) {
                if (in_window) n_reset++;
                drop(c);
                continue;
            }
            if (evs[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) on_read(c);
            if (!gap && !finish_by) {
                if (c->state == CLOSED) open_conn(c);
                else if (c->state == IDLE) start(c, now_ns());
            }
        }
    }
    double secs = (t_we - t_in) / 1e9;
    printf("{\"connections\":%d,\"answered\":%lu,\"seconds\":%.3f,\"requests\":%lu,\"rps\":%.1f,\"events\":%lu,\"events_per_s\":%.1f,\"reads\":%lu,"
           "\"body_bytes\":%lu,\"status\":{\"2xx\":%lu,\"3xx\":%lu,\"4xx\":%lu,\"5xx\":%lu},\"broken\":%lu,\"reset\":%lu,"
           "\"timeout\":%lu,\"connect_errors\":%lu,\"reconnects\":%lu,",
           conns, n_answered, secs, n_ok, n_ok / secs, n_events, n_events / secs, n_reads, n_bytes, n_status[2], n_status[3], n_status[4], n_status[5],
           n_broken, n_reset, n_timeout, n_connect_err, n_reconnect);
    print_samples("latency_us", &lat);
    printf(",");
    print_samples("ttfb_us", &ttfb);
    if (bad_sample[0]) {
        printf(",\"bad_status\":%d,\"bad_sample\":\"", last_bad_status);
        for (char *s = bad_sample; *s; s++) {
            if (*s == '"' || *s == '\\') putchar('\\');
            if ((unsigned char)*s >= 32) putchar(*s);
        }
        printf("\"");
    }
    printf("}\n");
    return 0;
}
