/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/httpc.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/why.h"

/* The functions of libcurl that we use; by name, because the library is not linked. */
struct curl_functions {
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	__typeof__(curl_easy_perform) *easy_perform;
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_easy_reset) *easy_reset;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
};

static int curl_load(struct curl_functions *ret_curl, struct pw_why *reterr_why)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
	void *library = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return pw_why_set(reterr_why, -ENOSYS, "libcurl is not installed: apt-get install libcurl4");
	/* Stays loaded: one call per process. dlsym returns void *, which POSIX says may be a function. */
	*(void **)&ret_curl->easy_init = dlsym(library, "curl_easy_init");
	*(void **)&ret_curl->easy_cleanup = dlsym(library, "curl_easy_cleanup");
	*(void **)&ret_curl->easy_setopt = dlsym(library, "curl_easy_setopt");
	*(void **)&ret_curl->easy_perform = dlsym(library, "curl_easy_perform");
	*(void **)&ret_curl->easy_getinfo = dlsym(library, "curl_easy_getinfo");
	*(void **)&ret_curl->easy_strerror = dlsym(library, "curl_easy_strerror");
	*(void **)&ret_curl->easy_reset = dlsym(library, "curl_easy_reset");
	*(void **)&ret_curl->slist_append = dlsym(library, "curl_slist_append");
	*(void **)&ret_curl->slist_free_all = dlsym(library, "curl_slist_free_all");
	if (!ret_curl->easy_init || !ret_curl->easy_cleanup || !ret_curl->easy_setopt || !ret_curl->easy_perform ||
	    !ret_curl->easy_getinfo || !ret_curl->easy_strerror || !ret_curl->easy_reset || !ret_curl->slist_append ||
	    !ret_curl->slist_free_all)
		return pw_why_set(reterr_why, -ENOSYS, "libcurl lacks a function: apt-get install libcurl4");
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	/* Anything but the full size ends the transfer; the error is in the buffer. */
	return pw_buf_append(context, data, size * count) < 0 ? 0 : size * count;
}

/* libcurl says only "could not connect", so ask first: the errno is what tells the person what to do. */
static int check_socket(const char *path, struct pw_why *reterr_why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return pw_why_set(reterr_why, -ENAMETOOLONG, "socket path '%s' is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTSOCK)
		return pw_why_set(reterr_why, errno == ENOENT ? -ENOENT : -ECONNREFUSED,
				  "no daemon answers on '%s': start one with 'parkwatch daemon'", path);
	if (errno == EACCES)
		return pw_why_set(reterr_why, -EACCES, "'%s' is not open to you: use root or its group", path);
	return pw_why_set(reterr_why, -EIO, "cannot connect to '%s': %s", path, strerror(errno));
}

int pw_httpc_get_local(const char *socket_path, const char *path, uint64_t timeout_ns, struct pw_buf *body,
		       long *ret_status, struct pw_why *reterr_why)
{
	struct curl_functions curl = {0};
	char url[512];
	CURLcode code;
	CURL *easy;
	int r;

	r = check_socket(socket_path, reterr_why);
	if (r)
		return r;
	r = curl_load(&curl, reterr_why);
	if (r || !curl.easy_init)
		return r ? r : -ENOSYS;
	if (snprintf(url, sizeof(url), "http://localhost%s", path) >= (int)sizeof(url))
		return pw_why_set(reterr_why, -EINVAL, "path '%s' is too long", path);
	easy = curl.easy_init();
	if (!easy)
		return -ENOMEM;
	curl.easy_setopt(easy, CURLOPT_URL, url);
	curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl.easy_setopt(easy, CURLOPT_PROXY, ""); /* not even if the environment names one */
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ns / PW_NS_PER_MS));
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, body);
	code = curl.easy_perform(easy);
	if (code == CURLE_OK)
		curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, ret_status);
	else if (pw_buf_error(body))
		r = pw_why_set(reterr_why, pw_buf_error(body), "the answer of '%s' is too large", socket_path);
	else
		r = pw_why_set(reterr_why, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO,
			       "the daemon behind '%s' does not answer: %s", socket_path, curl.easy_strerror(code));
	curl.easy_cleanup(easy);
	return r;
}

/* --- posting ----------------------------------------------------------------------------------------------------- */

struct pw_httpc {
	struct curl_functions curl;
	CURL *easy;
	char error[CURL_ERROR_SIZE];
};

int pw_httpc_new(struct pw_httpc **ret_client, struct pw_why *reterr_why)
{
	_cleanup_(pw_httpc_freep) struct pw_httpc *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	r = curl_load(&client->curl, reterr_why);
	if (r || !client->curl.easy_init)
		return r ? r : -ENOSYS;
	client->easy = client->curl.easy_init();
	if (!client->easy)
		return pw_why_set(reterr_why, -ENOMEM, "libcurl does not start");
	*ret_client = TAKE_PTR(client);
	return 0;
}

void pw_httpc_free(struct pw_httpc *client)
{
	if (!client)
		return;
	if (client->easy)
		client->curl.easy_cleanup(client->easy);
	free(client);
}

/* What does not fit is of no interest: an answer is only ever quoted. */
static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
	struct pw_buf *answer = context;
	size_t room = answer->max - PW_MIN(answer->size, answer->max), bytes = size * count;

	(void)pw_buf_append(answer, data, PW_MIN(bytes, room));
	return bytes;
}

static int on_progress(void *context, curl_off_t a pw_unused, curl_off_t b pw_unused, curl_off_t c pw_unused,
		       curl_off_t d pw_unused)
{
	const struct pw_httpc_target *target = context;

	return target->cancelled(target->context); /* not 0 ends the transfer */
}

static bool given(const char *text)
{
	return text && *text;
}

static void set_target(struct pw_httpc *client, const struct pw_httpc_target *target)
{
	struct curl_functions *curl = &client->curl;

	curl->easy_setopt(client->easy, CURLOPT_URL, target->url);
	curl->easy_setopt(client->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(client->easy, CURLOPT_NOSIGNAL, 1L); /* we are one thread of several */
	curl->easy_setopt(client->easy, CURLOPT_TIMEOUT_MS, (long)(target->timeout_ns / PW_NS_PER_MS));
	curl->easy_setopt(client->easy, CURLOPT_ERRORBUFFER, client->error);
	curl->easy_setopt(client->easy, CURLOPT_USERAGENT, "parkwatch");
	if (target->cancelled) {
		curl->easy_setopt(client->easy, CURLOPT_NOPROGRESS, 0L);
		curl->easy_setopt(client->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl->easy_setopt(client->easy, CURLOPT_XFERINFODATA, target);
	}
	if (given(target->ca_file))
		curl->easy_setopt(client->easy, CURLOPT_CAINFO, target->ca_file);
	if (given(target->certificate_file))
		curl->easy_setopt(client->easy, CURLOPT_SSLCERT, target->certificate_file);
	if (given(target->key_file))
		curl->easy_setopt(client->easy, CURLOPT_SSLKEY, target->key_file);
}

/* NULL: no memory. */
static struct curl_slist *make_headers(const struct curl_functions *curl, const struct pw_httpc_target *target)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(8192);
	struct curl_slist *list, *longer;

	pw_buf_printf(&line, "Content-Type: %s", target->content_type);
	list = curl->slist_append(NULL, pw_buf_text(&line));
	longer = list ? curl->slist_append(list, "Expect:") : NULL; /* no round of its own before a large body */
	if (longer && given(target->bearer_token)) {
		pw_buf_reset(&line);
		pw_buf_printf(&line, "Authorization: Bearer %s", target->bearer_token);
		longer = pw_buf_error(&line) ? NULL : curl->slist_append(longer, pw_buf_text(&line));
	}
	if (!longer)
		curl->slist_free_all(list);
	return longer;
}

int pw_httpc_post(struct pw_httpc *client, const struct pw_httpc_target *target, const void *body, size_t size,
		  struct pw_buf *answer, long *ret_status, struct pw_why *reterr_why)
{
	struct curl_functions *curl = &client->curl;
	struct curl_slist *headers = make_headers(curl, target);
	CURLcode code;

	if (!headers)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	curl->easy_reset(client->easy); /* keeps the connection */
	client->error[0] = '\0';
	set_target(client, target);
	curl->easy_setopt(client->easy, CURLOPT_HTTPHEADER, headers);
	curl->easy_setopt(client->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
	curl->easy_setopt(client->easy, CURLOPT_POSTFIELDS, body);
	curl->easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl->easy_setopt(client->easy, CURLOPT_WRITEDATA, answer);
	code = curl->easy_perform(client->easy);
	curl->slist_free_all(headers);
	if (code != CURLE_OK)
		return pw_why_set(reterr_why,
				  code == CURLE_OPERATION_TIMEDOUT    ? -ETIMEDOUT
				  : code == CURLE_ABORTED_BY_CALLBACK ? -ECANCELED
								      : -EIO,
				  "%s", client->error[0] ? client->error : curl->easy_strerror(code));
	curl->easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, ret_status);
	return 0;
}
