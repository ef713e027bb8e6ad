/* auto.h - scope-bound objects of libevent and libssl. */
#pragma once
#include "base/macros.h"
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ssl.h>

DEFINE_AUTO(struct event_base *, event_base_free);
DEFINE_AUTO(struct event_config *, event_config_free);
DEFINE_AUTO(struct event *, event_free);
DEFINE_AUTO(SSL_CTX *, SSL_CTX_free);
DEFINE_AUTO(SSL *, SSL_free);
