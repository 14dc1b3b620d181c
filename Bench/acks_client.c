// A load generator for small durable writes: CONNECTIONS connections, one request under way on each, over HTTP (Firn),
// RESP (Redis) or the NATS protocol (JetStream).
//
//   acks_client http|resp|nats PORT CONNECTIONS SECONDS RATE BODY_FILE TARGET
//
// RATE 0 sends the next request as soon as the last one is acknowledged. Otherwise requests are due at even distances,
// and a time of acknowledgement counts from when its request was due, so that a stalled server cannot hide behind the
// requests it has kept from being sent. Prints one JSON object.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HTTP, RESP, NATS };
enum { INPUT = 16384, ACKS_MAX = 20000000 };

typedef struct {
  int fd, busy;
  int64_t due;
  char *request;
  size_t request_bytes;
  char input[INPUT];
  size_t have;
} connection;

static int protocol;
static uint32_t *times;
static size_t acks, errors;
static char first_error[300];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  char *text = malloc(1 << 20);
  *bytes = fread(text, 1, 1 << 20, file);
  fclose(file);
  return text;
}

static int dial(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void send_all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) die("send");
    bytes += sent;
    count -= sent;
  }
}

static void prepare(connection *c, int index, const char *target, const char *body, size_t bytes) {
  c->request = malloc(bytes + 512);
  int head = 0;
  if (protocol == HTTP) {
    head = sprintf(c->request,
                   "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
                   "Content-Length: %zu\r\n\r\n", target, bytes);
  } else if (protocol == RESP) {
    char key[64];
    int length = sprintf(key, "%s:%d", target, index);
    head = sprintf(c->request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n", length, key, bytes);
  } else {
    char hello[256];
    recv(c->fd, c->input, INPUT, 0);
    int length = sprintf(hello, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB ack.%d 1\r\n", index);
    send_all(c->fd, hello, length);
    head = sprintf(c->request, "PUB %s ack.%d %zu\r\n", target, index, bytes);
  }
  memcpy(c->request + head, body, bytes);
  c->request_bytes = head + bytes;
  if (protocol != HTTP) {
    memcpy(c->request + c->request_bytes, "\r\n", 2);
    c->request_bytes += 2;
  }
}

static void fail(const connection *c) {
  if (errors++ == 0) snprintf(first_error, sizeof first_error, "%.200s", c->input);
}

// Bytes of the answer at the front of the input, 0 while it is incomplete; says whether it is an acknowledgement.
static size_t answer(connection *c, int *is_ack) {
  c->input[c->have] = 0;
  *is_ack = 0;
  if (protocol == RESP) {
    char *end = strstr(c->input, "\r\n");
    if (!end) return 0;
    *is_ack = 1;
    if (c->input[0] != '+') fail(c);
    return end + 2 - c->input;
  }
  if (protocol == HTTP) {
    char *end = strstr(c->input, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->input, "content-length:");
    size_t whole = end + 4 - c->input + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    if (c->have < whole) return 0;
    *is_ack = 1;
    if (strncmp(c->input, "HTTP/1.1 200", 12)) fail(c);
    return whole;
  }
  char *end = strstr(c->input, "\r\n");
  if (!end) return 0;
  if (!strncmp(c->input, "PING", 4)) {
    send_all(c->fd, "PONG\r\n", 6);
    return end + 2 - c->input;
  }
  if (strncmp(c->input, "MSG ", 4)) {
    if (!strncmp(c->input, "-ERR", 4)) fail(c);
    return end + 2 - c->input;
  }
  char *size = end;
  while (size[-1] != ' ') size--;
  size_t whole = end + 2 - c->input + strtoul(size, NULL, 10) + 2;
  if (c->have < whole) return 0;
  *is_ack = 1;
  if (strstr(end, "\"error\"")) fail(c);
  return whole;
}

static void receive(connection *c) {
  ssize_t got = recv(c->fd, c->input + c->have, INPUT - 1 - c->have, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    fprintf(stderr, "the server closed a connection; last: %.200s\n", c->input);
    exit(1);
  }
  c->have += got;
  int is_ack;
  size_t used;
  while (c->have > 0 && (used = answer(c, &is_ack)) > 0) {
    memmove(c->input, c->input + used, c->have - used);
    c->have -= used;
    if (!is_ack) continue;
    if (acks < ACKS_MAX) times[acks++] = (uint32_t)((now_ns() - c->due) / 1000);
    c->busy = 0;
  }
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **words) {
  if (count != 8) {
    fprintf(stderr, "acks_client http|resp|nats PORT CONNECTIONS SECONDS RATE BODY_FILE TARGET\n");
    return 2;
  }
  protocol = !strcmp(words[1], "http") ? HTTP : !strcmp(words[1], "resp") ? RESP : NATS;
  int connections = atoi(words[3]);
  double seconds = atof(words[4]), rate = atof(words[5]);
  size_t bytes;
  char *body = read_file(words[6], &bytes);
  times = malloc(sizeof *times * ACKS_MAX);
  connection *all = calloc(connections, sizeof *all);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < connections; i++) {
    all[i].fd = dial(atoi(words[2]));
    prepare(&all[i], i, words[7], body, bytes);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &all[i]}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  int64_t began = now_ns(), end = began + (int64_t)(seconds * 1e9), gap = rate > 0 ? (int64_t)(1e9 / rate) : 0;
  int64_t due = began;
  int next = 0;
  struct epoll_event ready[256];
  while (now_ns() < end) {
    int64_t now = now_ns();
    for (int i = 0; i < connections && (!gap || due <= now); i++) {
      connection *c = &all[(next + i) % connections];
      if (c->busy) continue;
      c->due = gap ? due : now;
      due += gap;
      c->busy = 1;
      send_all(c->fd, c->request, c->request_bytes);
      if (gap) next = (next + i + 1) % connections, i = -1;
    }
    struct timespec wait = {0, 1000000};
    int64_t left = due - now_ns();
    if (gap && left < wait.tv_nsec) wait.tv_nsec = left > 0 ? left : 0;
    int n = epoll_pwait2(epoll, ready, 256, &wait, NULL);
    for (int i = 0; i < n; i++) receive(ready[i].data.ptr);
  }
  double took = (now_ns() - began) / 1e9;
  qsort(times, acks, sizeof *times, by_value);
  for (char *at = first_error; *at; at++)
    if (*at == '"' || *at == '\\' || *at < ' ') *at = '\'';
  printf("{\"acks\":%zu,\"errors\":%zu,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
         "\"p999_us\":%u,\"first_error\":\"%s\"}\n",
         acks, errors, took, acks / took, acks ? times[acks / 2] : 0, acks ? times[acks * 99 / 100] : 0,
         acks ? times[acks * 999 / 1000] : 0, first_error);
  return 0;
}
