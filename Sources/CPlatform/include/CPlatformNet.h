// Sockets, epoll and signals: what Swift's Glibc overlay hides or imports in an awkward shape. Only declarations, and
// no system header beyond the integers: the ones behind these calls look different with and without _GNU_SOURCE.
#ifndef FIRN_CPLATFORM_NET_H
#define FIRN_CPLATFORM_NET_H

#include <stddef.h>
#include <stdint.h>

/// One readiness report: which descriptor, by the number it was added with, and what for.
typedef struct {
  uint64_t tag;
  uint32_t events;
} firn_ready;

enum { firn_ready_max = 256 };

/// Bits of `firn_ready.events`.
enum { firn_can_read = 1, firn_can_write = 2, firn_hung_up = 4 };

int firn_epoll_create(void);
/// Reports edges: what became possible since the last report.
int firn_epoll_watch_edges(int epoll, int descriptor, uint64_t tag);
/// Reports as long as there is something to read.
int firn_epoll_watch_input(int epoll, int descriptor, uint64_t tag);
int firn_epoll_forget(int epoll, int descriptor);
/// Fills `ready`, which has room for `firn_ready_max`; returns how many, or -1 with `errno`.
int firn_epoll_wait(int epoll, firn_ready *ready, int timeout_ms);

int firn_eventfd(void);
void firn_eventfd_signal(int descriptor);
/// The sum of signals since the last call; 0 when there was none.
uint64_t firn_eventfd_take(int descriptor);
/// Waits until the eventfd is signalled; 0 when `timeout_ms` passed first.
int firn_eventfd_wait(int descriptor, int timeout_ms);

/// A non-blocking listening socket on the address; -1 with `errno`, -2 when the name cannot be resolved.
int firn_listen(const char *host, const char *port, int backlog);
int firn_bound_port(int descriptor);
/// A connection of a listening socket, non-blocking, which sends small answers at once; -1 with `errno`.
int firn_accept(int listener);
/// Neither blocks nor raises SIGPIPE.
ptrdiff_t firn_send(int descriptor, const void *bytes, size_t count);
ptrdiff_t firn_receive(int descriptor, void *bytes, size_t count);
void firn_shut_sending(int descriptor);

/// Lets the process open as many descriptors as the system allows it; returns how many.
int64_t firn_raise_descriptor_limit(void);

/// From now on SIGTERM and SIGINT only count on the returned eventfd.
int firn_count_stop_signals(void);

#endif
