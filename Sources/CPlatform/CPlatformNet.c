#define _GNU_SOURCE
#include "CPlatformNet.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int firn_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int watch(int epoll, int descriptor, uint32_t events, uint64_t tag) {
  struct epoll_event event = {.events = events, .data = {.u64 = tag}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int firn_epoll_watch_edges(int epoll, int descriptor, uint64_t tag) {
  return watch(epoll, descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, tag);
}

int firn_epoll_watch_input(int epoll, int descriptor, uint64_t tag) { return watch(epoll, descriptor, EPOLLIN, tag); }

int firn_epoll_forget(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int firn_epoll_wait(int epoll, firn_ready *ready, int timeout_ms) {
  struct epoll_event events[firn_ready_max];
  int count = epoll_wait(epoll, events, firn_ready_max, timeout_ms);
  for (int i = 0; i < count; i++) {
    uint32_t seen = events[i].events, bits = 0;
    if (seen & EPOLLIN) bits |= firn_can_read;
    if (seen & EPOLLOUT) bits |= firn_can_write;
    if (seen & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) bits |= firn_can_read | firn_can_write | firn_hung_up;
    ready[i].tag = events[i].data.u64;
    ready[i].events = bits;
  }
  return count;
}

int firn_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void firn_eventfd_signal(int descriptor) {
  uint64_t one = 1;
  ssize_t wrote = write(descriptor, &one, sizeof one);
  (void)wrote;
}

uint64_t firn_eventfd_take(int descriptor) {
  uint64_t sum = 0;
  return read(descriptor, &sum, sizeof sum) == sizeof sum ? sum : 0;
}

int firn_eventfd_wait(int descriptor, int timeout_ms) {
  struct pollfd one = {.fd = descriptor, .events = POLLIN};
  return poll(&one, 1, timeout_ms) > 0;
}

static int open_listener(const struct addrinfo *address, int backlog) {
  int on = 1, descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 && listen(descriptor, backlog) == 0)
    return descriptor;
  int code = errno;
  close(descriptor);
  errno = code;
  return -1;
}

int firn_listen(const char *host, const char *port, int backlog) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -2;
  int descriptor = open_listener(found, backlog), code = errno;
  freeaddrinfo(found);
  errno = code;
  return descriptor;
}

int firn_bound_port(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return 0;
  if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int firn_accept(int listener) {
  int on = 1, descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

ptrdiff_t firn_send(int descriptor, const void *bytes, size_t count) {
  return send(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ptrdiff_t firn_receive(int descriptor, void *bytes, size_t count) {
  return recv(descriptor, bytes, count, MSG_DONTWAIT);
}

void firn_shut_sending(int descriptor) { shutdown(descriptor, SHUT_WR); }

int64_t firn_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? 1 << 30 : (int64_t)limit.rlim_cur;
}

static int stop_signals = -1;

static void count_stop_signal(int number) {
  (void)number;
  int code = errno;
  firn_eventfd_signal(stop_signals);
  errno = code;
}

int firn_count_stop_signals(void) {
  if (stop_signals < 0) stop_signals = firn_eventfd();
  struct sigaction action = {.sa_handler = count_stop_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  return stop_signals;
}
