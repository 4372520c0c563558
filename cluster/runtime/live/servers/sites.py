"""Web sites that need a database: what they answer depends on whether they reach it, and on what is in it.

    wordpress     no database: "Error establishing a database connection"; an empty one: the installation, which makes
                  its tables; then a blog whose title and posts are rows
    guestbook     gb-frontend: its page, and guestbook.php, which writes to the redis leader and reads from followers

    mongo-express what databases, collections and documents there are

Mirrors:  the images of wordpress, mongo-express and of Kubernetes' guestbook, as far as their tutorials go
Left out: logins, themes, everything below wp-admin but the installation; the guestbook's and mongo-express's
          pages are our own, and the latter asks for no password.
"""

import html
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from cluster.runtime.live.servers import wire
from cluster.runtime.live.servers.place import CONNECTED, Place
from cluster.runtime.live.servers.redis.replies import request
from cluster.runtime.programs.program import Response

HTML = "text/html; charset=UTF-8"
PAGE = """<!DOCTYPE html>
<html lang="en-US">
<head><meta charset="UTF-8"><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""
NO_CONNECTION = '<div class="wp-die-message"><h1>Error establishing a database connection</h1></div>'
INSTALL = """<p id="logo">WordPress</p>
<h1>Welcome</h1>
<p>Welcome to the famous five-minute WordPress installation process! Just fill in the information below.</p>
<form id="setup" method="post" action="install.php?step=2" novalidate="novalidate">
<label for="weblog_title">Site Title</label> <input name="weblog_title" type="text" id="weblog_title" />
<label for="user_login">Username</label> <input name="user_name" type="text" id="user_login" />
<label for="pass1">Password</label> <input name="admin_password" type="password" id="pass1" />
<label for="admin_email">Your Email</label> <input name="admin_email" type="email" id="admin_email" />
<input type="submit" name="Submit" id="submit" value="Install WordPress" />
</form>"""
TABLES = (
    "CREATE TABLE wp_options (option_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, option_name varchar(191)"
    " NOT"
    " NULL UNIQUE, option_value longtext NOT NULL)",
    "CREATE TABLE wp_users (ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_login varchar(60) NOT NULL,"
    " user_email varchar(100) NOT NULL, user_registered datetime NOT NULL)",
    "CREATE TABLE wp_posts (ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, post_author bigint unsigned NOT"
    " NULL,"
    " post_date datetime NOT NULL, post_content longtext NOT NULL, post_title text NOT NULL, post_status varchar(20)"
    " NOT NULL)",
)
GUESTBOOK = """<h2>Guestbook</h2>
<form id="sign"><input name="message" placeholder="Messages" size="60"> <button>Submit</button></form>
<div id="messages"></div>
<script>
const list = document.getElementById("messages");
let messages = [];
const show = () => list.replaceChildren(...messages.map((text) => {
  const line = document.createElement("div"); line.textContent = text; return line;
}));
const read = async () => {
  const answer = await fetch("guestbook.php?cmd=get&key=messages");
  messages = (await answer.json()).data.split(",").filter((text) => text);
  show();
};
document.getElementById("sign").addEventListener("submit", async (event) => {
  event.preventDefault();
  messages.push(event.target.message.value);
  await fetch("guestbook.php?cmd=set&key=messages&value=" + encodeURIComponent("," + messages.join(",")));
  event.target.reset();
  show();
});
read();
</script>"""

Visit = Callable[[Place, str, str, str], Response]  # (place, method, target, body).


# --- wordpress --------------------------------------------------------------------------------------------------


def wordpress(place: Place, method: str, target: str, body: str) -> Response:
    asked = urlsplit(target)
    title = _query(place, "SELECT option_value FROM wp_options WHERE option_name = 'blogname'")
    if title is None:
        return Response(500, PAGE.format(title="Database Error", body=NO_CONNECTION), HTML)
    installed = "rows" in title
    if asked.path.endswith("/wp-admin/install.php"):
        return _installation(place, method, asked.query, body, installed)
    if not installed:
        return Response(302, "", HTML, "/wp-admin/install.php")
    if asked.path in ("/", "/index.php"):
        return _blog(place, title["rows"][0][0] if title["rows"] else "")
    return Response(404, PAGE.format(title="Page not found", body="<h1>Page not found</h1>"), HTML)


def _query(place: Place, *statements: str) -> dict[str, Any] | None:
    """The last statement's result; `error` in it if it failed; None: no connection, no user, or no database."""
    host, _, port = (place.setting("WORDPRESS_DB_HOST") or "mysql").partition(":")
    about = {
        "user": place.setting("WORDPRESS_DB_USER") or "root", "password": place.setting("WORDPRESS_DB_PASSWORD"),
        "database": place.setting("WORDPRESS_DB_NAME") or "wordpress", "sql": ";".join(statements),
    }  # fmt: skip
    fate, _, answer = place.call(host, int(port) if port.isdecimal() else 3306, wire.request(**about))
    found = wire.answered(answer) if fate == CONNECTED else None
    if found is None or found.get("fatal"):
        return None
    if "error" in found:
        return {"error": found["error"]}
    return dict(found["results"][-1]) if found["results"] else {"rows": []}


def _installation(place: Place, method: str, query: str, body: str, installed: bool) -> Response:
    if installed:
        text = "<h1>Already Installed</h1><p>You appear to have already installed WordPress. To reinstall please"
        text += " clear your old database tables first.</p>"
        return Response(200, PAGE.format(title="WordPress &rsaquo; Installation", body=text), HTML)
    if method != "POST" or parse_qs(query).get("step") != ["2"]:
        return Response(200, PAGE.format(title="WordPress &rsaquo; Installation", body=INSTALL), HTML)
    given = {name: values[0] for name, values in parse_qs(body).items()}
    title, user, mail = (given.get(name, "") for name in ("weblog_title", "user_name", "admin_email"))
    if not user:
        text = "<p class='message'>Please provide a valid username.</p>" + INSTALL
        return Response(200, PAGE.format(title="WordPress &rsaquo; Installation", body=text), HTML)
    moment = f"{place.now:%Y-%m-%d %H:%M:%S}"
    rows = (
        f"INSERT INTO wp_options (option_name, option_value) VALUES ('blogname', {_quoted(title)}),"
        f" ('admin_email', {_quoted(mail)})",
        f"INSERT INTO wp_users (user_login, user_email, user_registered) VALUES ({_quoted(user)}, {_quoted(mail)},"
        f" '{moment}')",
        "INSERT INTO wp_posts (post_author, post_date, post_content, post_title, post_status) VALUES"
        f" (1, '{moment}', 'Welcome to WordPress. This is your first post.', 'Hello world!', 'publish')",
    )
    made = _query(place, *TABLES, *rows)
    if made is None or "error" in made:
        return Response(500, PAGE.format(title="Database Error", body=NO_CONNECTION), HTML)
    text = "<h1>Success!</h1><p>WordPress has been installed. Thank you, and enjoy!</p>"
    return Response(200, PAGE.format(title="WordPress &rsaquo; Installation", body=text), HTML)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _blog(place: Place, title: str) -> Response:
    posts = _query(
        place,
        "SELECT post_title, post_content FROM wp_posts WHERE post_status = 'publish' ORDER BY post_date DESC LIMIT 10",
    )
    rows = (posts or {}).get("rows") or []
    body = f"<header><h1>{html.escape(title)}</h1></header>\n<main>\n"
    body += "".join(f"<h2>{html.escape(name)}</h2>\n<p>{html.escape(text)}</p>\n" for name, text in rows)
    footer = "</main>\n<footer>Proudly powered by WordPress</footer>"
    return Response(200, PAGE.format(title=html.escape(title), body=body + footer), HTML)


# --- guestbook --------------------------------------------------------------------------------------------------


def guestbook(place: Place, method: str, target: str, body: str) -> Response:
    asked = urlsplit(target)
    if asked.path in ("/", "/index.html"):
        return Response(200, PAGE.format(title="Guestbook", body=GUESTBOOK), HTML)
    if asked.path != "/guestbook.php":
        return Response(404, PAGE.format(title="404 Not Found", body="<h1>Not Found</h1>"), HTML)
    given = {name: values[0] for name, values in parse_qs(asked.query, keep_blank_values=True).items()}
    key = given.get("key", "")
    if given.get("cmd") == "set":
        answer = _redis(place, "leader", "SET", key, given.get("value", ""))
        said = {"message": "Updated"}
    elif given.get("cmd") == "get":
        answer = _redis(place, "follower", "GET", key)
        size, _, text = answer[1:].partition("\r\n")
        said = {"data": text[: int(size)] if size.isdecimal() else ""}
    else:
        return Response(200, PAGE.format(title="phpinfo()", body="<h1>PHP Version 7.4.24</h1>"), HTML)
    if not answer or answer.startswith("-"):
        return Response(500, "", HTML)
    return Response(200, orjson.dumps(said).decode("latin-1"), "application/json")


def _redis(place: Place, role: str, *words: str) -> str:
    """The reply of the leader or of a follower; "" if nobody answers."""
    host = f"redis-{role}"
    if place.env.get("GET_HOSTS_FROM") == "env":
        host = place.env.get(f"REDIS_{role.upper()}_SERVICE_HOST") or host
    fate, _, answer = place.call(host, 6379, request(*words))
    return answer if fate == CONNECTED else ""


# --- mongo-express ----------------------------------------------------------------------------------------------


def mongo_express(place: Place, method: str, target: str, body: str) -> Response:
    parts = [part for part in urlsplit(target).path.split("/") if part]
    if parts[:1] == ["db"]:
        parts = parts[1:]
    if len(parts) > 2:
        return Response(404, PAGE.format(title="404", body="<h1>Not Found</h1>"), HTML)
    command: dict[str, Any] = {"listDatabases": 1}
    if parts:
        command = {"find": parts[1], "limit": 10} if len(parts) == 2 else {"listCollections": 1}
    found = _mongo(place, parts[0] if parts else "admin", command)
    if not found.get("ok"):
        text = html.escape(str(found.get("errmsg") or "connection closed"))
        return Response(500, PAGE.format(title="mongo-express", body=f"<h1>MongoServerError</h1><p>{text}</p>"), HTML)
    names = found.get("collections") or [one["name"] for one in found.get("databases", ())]
    shown = [orjson.dumps(one).decode() for one in found.get("documents", ())]
    items = [
        f'<li><a href="/db/{html.escape("/".join([*parts, name]))}/">{html.escape(name)}</a></li>' for name in names
    ]
    items += [f"<li><code>{html.escape(one)}</code></li>" for one in shown]
    title = ["Databases", "Collections of", "Documents of"][len(parts)]
    heading = f"<h1>Mongo Express</h1>\n<h2>{title} {html.escape('.'.join(parts))}</h2>"
    return Response(200, PAGE.format(title="Home - Mongo Express", body=f"{heading}\n<ul>{''.join(items)}</ul>"), HTML)


def _mongo(place: Place, database: str, command: dict[str, Any]) -> dict[str, Any]:
    """The server's answer; empty if nobody answers."""
    uri = urlsplit(place.setting("ME_CONFIG_MONGODB_URL"))
    host = uri.hostname or place.setting("ME_CONFIG_MONGODB_SERVER") or "mongo"
    user = uri.username or place.setting("ME_CONFIG_MONGODB_ADMINUSERNAME") or None
    secret = uri.password or place.setting("ME_CONFIG_MONGODB_ADMINPASSWORD") or None
    port = uri.port or int(place.setting("ME_CONFIG_MONGODB_PORT") or 27017)
    about = {"user": user, "password": secret, "database": database, "command": command}
    fate, _, answer = place.call(host, port, wire.request(**about))
    return (wire.answered(answer) or {}) if fate == CONNECTED else {}


SITES: dict[str, Visit] = {"wordpress": wordpress, "gb-frontend": guestbook, "mongo-express": mongo_express}
