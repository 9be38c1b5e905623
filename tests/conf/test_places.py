"""What is a secret, and so has to be left to the environment."""

from contextlib import nullcontext

import pytest

from conf.places import without_secrets

S3 = "spark.hadoop.fs.s3a"
JAVA = "spark.driver.extraJavaOptions"


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        (f"{S3}.secret.key", "x", True),
        (f"{S3}.secret.key", "env:KEY", False),
        (f"{S3}.encryption.key", "x", True),
        (f"{S3}.delegation.tokens.enabled", "true", False),
        (f"{S3}.aws.credentials.provider", "x.TokenProvider", False),
        ("spark.io.encryption.keySizeBits", "256", False),
        (JAVA, "-Xss4m -Djavax.net.ssl.trustStorePassword=x", True),
        (JAVA, "-Djavax.net.ssl.trustStore=/trust.jks -Dpassword.file=/p -Dtoken=false", False),
        (JAVA, "env:JAVA_FLAGS", False),
        (JAVA, "-Dlogin=user=me,password='x'", True),
        ("spark.sql.catalog.c.uri", "jdbc:postgresql://host/db?user=me&password=x", True),
        ("spark.hadoop.proxy", "http://me:x@proxy:80", True),
    ],
)
def test_a_secret_is_known_by_its_name_or_by_one_within_its_value(name: str, value: str, secret: bool) -> None:
    wanted = pytest.raises(ValueError, match="would be written into logs: write env:NAME") if secret else nullcontext()
    with wanted:
        assert without_secrets({name: value}) == {name: value}
